import type { HttpApp } from '../../schemas/http/common.ts'
import { refuseInput } from '../refuse-input.ts'

/** What a form or a query says: text, objects and lists, as its brackets nest them. */
export type Form = { readonly [name: string]: FormValue | undefined }
export type FormValue = string | Form | readonly FormValue[]

/** Far beyond what a call of Stripe's has. */
const BOUNDS = { bytes: 262_144, depth: 6, fields: 2_000 }

export function readForms(app: HttpApp): void {
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string', bodyLimit: BOUNDS.bytes }, (_request, body, done) => {
    try {
      done(null, formOf(new URLSearchParams(String(body))))
    } catch (error) {
      done(error as Error)
    }
  })
}

/** `payload[value]=25&items[0][price]=price_1`. */
export function formOf(pairs: Iterable<readonly [string, string]>): Form {
  const root: Nested = new Map()
  let fields = 0
  for (const [name, value] of pairs) {
    fields += 1
    if (fields > BOUNDS.fields) return refuseInput(name, `a request has at most ${BOUNDS.fields} fields`)
    const steps = [...name.matchAll(/[^[\]]+|\[\]/g)].map(([step]) => step)
    if (steps.length === 0 || steps.length > BOUNDS.depth)
      return refuseInput(name.slice(0, 80), `a field nests at most ${BOUNDS.depth} levels`)
    put(root, steps, value)
  }
  return shown(root) as Form
}

/** A query as fastify reads it: names with brackets, each with one value or a list. */
export function queryForm(query: unknown): Form {
  const entries = Object.entries(query as Readonly<Record<string, string | readonly string[]>>)
  return formOf(entries.flatMap(([name, value]) => [value].flat().map((each) => [name, each] as const)))
}

type Nested = Map<string, string | Nested>

function put(into: Nested, [step = '', ...rest]: readonly string[], value: string): void {
  const name = step === '[]' ? String(into.size) : step
  if (rest.length === 0) {
    into.set(name, value)
    return
  }
  const known = into.get(name)
  const below: Nested = known instanceof Map ? known : new Map()
  into.set(name, below)
  put(below, rest, value)
}

/** What is numbered from 0 on is a list. */
function shown(nested: Nested): FormValue {
  const names = [...nested.keys()]
  const values = [...nested.values()].map((value) => (value instanceof Map ? shown(value) : value))
  if (names.length > 0 && names.every((name) => /^\d+$/.test(name))) return values
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']))
}

export function textIn(form: Form, name: string): string | undefined {
  const value = form[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

export function neededText(form: Form, name: string): string {
  return textIn(form, name) ?? refuseInput(name, `Missing required param: ${name}.`, 'missing')
}

export function formIn(form: Form, name: string): Form {
  const value = form[name]
  return typeof value === 'object' && !Array.isArray(value) ? (value as Form) : {}
}

export function listIn(form: Form, name: string): readonly FormValue[] {
  const value = form[name]
  return Array.isArray(value) ? value : []
}

/** `metadata[a]=` takes `a` out. */
export function mergedMetadata(known: Readonly<Record<string, unknown>>, form: Form): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...known }
  for (const [name, value] of Object.entries(formIn(form, 'metadata'))) {
    if (value === '') delete merged[name]
    else merged[name] = value
  }
  return merged
}

export function wholeIn(form: Form, name: string): number | undefined {
  const text = textIn(form, name)
  if (text === undefined) return undefined
  return /^-?\d{1,15}$/.test(text) ? Number(text) : refuseInput(name, `Invalid integer: ${text.slice(0, 40)}`)
}
