import { refuseInput } from '../refuse-input.ts'

/** The fields of a body or a query under their snake_case names: SDKs send both spellings, in one body too. Values stay as they are. */
export type Fields = Readonly<Record<string, unknown>>

export function fieldsOf(sent: unknown): Fields {
  if (typeof sent !== 'object' || sent === null || Array.isArray(sent)) {
    return refuseInput('body', 'the body must be a JSON object')
  }
  return Object.fromEntries(Object.entries(sent).map(([name, value]) => [snakeCase(name), value]))
}

/** `inputTokens` is `input_tokens`. */
export function snakeCase(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase()
}

export function textOf(fields: Fields, name: string): string {
  return optionalText(fields, name) ?? refuseInput(name, `${name} is missing`, 'missing')
}

/** Null counts as absent. */
export function optionalText(fields: Fields, name: string): string | undefined {
  const value = fields[name]
  if (value === undefined || value === null) return undefined
  return typeof value === 'string' ? value : refuseInput(name, `${name} must be a text`)
}

export function oneOf<const Value extends string>(fields: Fields, name: string, values: readonly Value[]): Value {
  const given = textOf(fields, name).toUpperCase()
  return values.find((value) => value === given) ?? refuseInput(name, `${name} must be one of ${values.join(', ')}`)
}
