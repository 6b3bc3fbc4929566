/**
 * Names the shapes of an OpenAPI document, so that a generated client has `Invoice` and `InvoiceLine` in place of the same fields
 * written out at every route. The names follow from the operations: what `getX` answers is `X`, an item of `listXs` is `X`, the body
 * of `putX` is `XInput`, and a part that occurs more than once is named after its first owner and property. Every use is then a `$ref`.
 */
export function withComponents<Document extends OpenApi>(document: Document): Document {
  const names = new Map<string, string>()
  const taken = new Set<string>()
  const schemas: Record<string, Json> = {}
  const give = (schema: Json | undefined, name: string): void => {
    if (!isNameable(schema)) return
    const text = JSON.stringify(schema)
    if (names.has(text) || taken.has(name)) return
    names.set(text, name)
    taken.add(name)
  }
  for (const [schema, name] of namedByOperation(operationsOf(document))) give(schema, name)
  const uses = countUses(document.paths)
  for (const [text, name] of names) giveParts(JSON.parse(text) as Json, name, uses, give)
  for (const [text, name] of names) schemas[name] = referring(JSON.parse(text) as Json, names, text)
  const components = { ...document.components, schemas: { ...document.components?.schemas, ...sorted(schemas) } }
  return { ...document, components, paths: referring(document.paths, names, '') }
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }
export type OpenApi = {
  readonly paths?: unknown
  readonly components?: { readonly schemas?: object; readonly securitySchemes?: object }
}
type Operation = {
  readonly operationId?: string
  readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema?: Json }>> }
  readonly responses?: Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: Json }>> }>>
}

/** Shorter ones are as readable where they stand. */
const CHARACTERS_MIN = 60

function operationsOf({ paths }: OpenApi): readonly Operation[] {
  return Object.values((paths ?? {}) as Readonly<Record<string, Readonly<Record<string, Operation>>>>).flatMap((path) =>
    Object.values(path),
  )
}

/** In the order in which names are given: reads first, as what is read has the plain name, and of equal shapes the shortest name. */
function* namedByOperation(operations: readonly Operation[]): Generator<readonly [Json | undefined, string]> {
  const byVerb = (verb: RegExp) =>
    operations
      .flatMap((operation) => {
        const noun = verb.exec(operation.operationId ?? '')?.[1]
        return noun === undefined ? [] : [{ operation, noun }]
      })
      .sort((a, b) => a.noun.length - b.noun.length || (a.noun < b.noun ? -1 : 1))
  for (const { operation, noun } of byVerb(/^get(.+)$/)) yield [answerOf(operation), noun]
  for (const { operation, noun } of byVerb(/^list(.+)$/)) yield [itemOf(answerOf(operation)), singular(noun)]
  for (const { operation, noun } of byVerb(/^put(.+)$/)) yield [bodyOf(operation), `${noun}Input`]
  for (const { operation } of byVerb(/^(.+)$/)) {
    const name = capital(operation.operationId ?? '')
    yield [bodyOf(operation), `${name}Input`]
    yield [answerOf(operation), `${name}Answer`]
    for (const answer of Object.values(operation.responses ?? {})) yield [answer.content?.['application/problem+json']?.schema, 'Problem']
  }
}

function answerOf({ responses = {} }: Operation): Json | undefined {
  const good = Object.entries(responses).find(([status]) => status.startsWith('2'))
  return good?.[1].content?.['application/json']?.schema
}

function bodyOf({ requestBody }: Operation): Json | undefined {
  return requestBody?.content?.['application/json']?.schema
}

function itemOf(page: Json | undefined): Json | undefined {
  return propertiesOf(propertiesOf(page)?.data, 'items')
}

function propertiesOf(schema: Json | undefined, part?: string): { readonly [name: string]: Json } | undefined {
  if (!isObject(schema)) return undefined
  const found = schema[part ?? 'properties']
  return isObject(found) ? found : undefined
}

function giveParts(schema: Json, owner: string, uses: ReadonlyMap<string, number>, give: (schema: Json, name: string) => void): void {
  for (const [property, value] of Object.entries(propertiesOf(schema) ?? {})) {
    const items = propertiesOf(value, 'items')
    const part = items ?? value
    const name = `${owner.replace(/Input$/, '')}${capital(items === undefined ? property : singular(property))}${owner.endsWith('Input') ? 'Input' : ''}`
    if ((uses.get(JSON.stringify(part)) ?? 0) > 1) give(part, name)
    giveParts(part, name, uses, give)
  }
}

/** How often each object schema stands in the document, by its text. */
function countUses(of: unknown, uses = new Map<string, number>()): Map<string, number> {
  if (Array.isArray(of)) for (const each of of) countUses(each, uses)
  else if (isObject(of)) {
    if (isNameable(of)) uses.set(JSON.stringify(of), (uses.get(JSON.stringify(of)) ?? 0) + 1)
    for (const each of Object.values(of)) countUses(each, uses)
  }
  return uses
}

/** The value with a `$ref` for each named schema in it, but for the schema that is being written out itself. */
function referring<Value>(value: Value, names: ReadonlyMap<string, string>, itself: string): Value {
  if (Array.isArray(value)) return value.map((each) => referring(each, names, '')) as Value
  if (!isObject(value)) return value
  const text = isNameable(value) ? JSON.stringify(value) : ''
  const name = text === itself ? undefined : names.get(text)
  if (name !== undefined) return { $ref: `#/components/schemas/${name}` } as Value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, referring(each, names, '')])) as Value
}

function isNameable(schema: unknown): schema is { readonly [name: string]: Json } {
  if (!isObject(schema)) return false
  const isShape = hasFields(schema) || (Array.isArray(schema.anyOf) && schema.anyOf.every(hasFields))
  return isShape && JSON.stringify(schema).length >= CHARACTERS_MIN
}

function hasFields(schema: unknown): boolean {
  return isObject(schema) && schema.type === 'object' && isObject(schema.properties)
}

function isObject(value: unknown): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function singular(noun: string): string {
  if (noun.endsWith('ies')) return `${noun.slice(0, -3)}y`
  if (/(ch|sh|ss|x)es$/.test(noun)) return noun.slice(0, -2)
  return noun.endsWith('s') && !noun.endsWith('ss') ? noun.slice(0, -1) : noun
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}

function sorted<Value>(record: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))
}
