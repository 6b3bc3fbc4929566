import type { FastifyRequest } from 'fastify'
import { type Static, type TSchema, Type } from 'typebox'
import { RefusalError } from '../../domain/refusal.ts'
import { instantMsOf } from '../instant-ms.ts'
import { PAGE, wholeNumber } from '../whole-number.ts'
import { refuseAs } from './refuse-values.ts'

/** The thing that the body holds under its own name: `{"plan": {…}}`. */
export function namedBody<Schema extends TSchema>(request: FastifyRequest, name: string, schema: Schema): Static<Schema> {
  if (!Object.hasOwn((request.body ?? {}) as object, name)) return refuseAs(400, 'missing_body_part', `the body has no '${name}'`)
  const wrapped = Type.Object({ [name]: schema })
  const refusal = request.checkBody(wrapped, request.body ?? {})
  if (refusal !== null) throw new RefusalError(refusal)
  return (request.body as Record<string, unknown>)[name] as Static<Schema>
}

export const OptionalText = Type.Optional(Type.Union([Type.String(), Type.Null()]))

type Query = Readonly<Record<string, string | readonly string[] | undefined>>

export function textOf(query: unknown, name: string): string | undefined {
  return [(query as Query)[name] ?? []].flat()[0]
}

/** `{things: […], meta: {…}}`. */
export function pageJson<Item>(query: unknown, name: string, all: readonly Item[]) {
  const page = wholeNumber(textOf(query, 'page'), 'page', PAGE)
  const size = wholeNumber(textOf(query, 'per_page'), 'per_page', { usual: 100, most: 1_000 })
  const pages = Math.ceil(all.length / size)
  const meta = {
    current_page: all.length === 0 ? 0 : page,
    next_page: page < pages ? page + 1 : null,
    prev_page: page > 1 ? page - 1 : null,
    ...{ total_pages: pages, total_count: all.length },
  }
  return { [name]: all.slice((page - 1) * size, page * size), meta }
}

/** Ends are inclusive, to the second. */
export function lastSecondOf(end: string): string {
  return `${new Date(instantMsOf(end) - 1_000).toISOString().slice(0, 19)}Z`
}
