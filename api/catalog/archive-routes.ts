import type { TObject, TSchema } from 'typebox'
import type { Archiver } from '../../adapters/database/archiver.ts'
import type { Scope } from '../../domain/principal.ts'
import { orThrow, type Refusal } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'

export type ArchivedKind<Key extends string, Value> = {
  /** The collection in the path, such as `plans`. */
  readonly collection: string
  /** The singular, with a capital letter. */
  readonly name: string
  readonly scope: Scope
  readonly params: TObject
  readonly answer: TSchema
  readonly store: Archiver<Key, Value>
  readonly json: (value: Value) => unknown
  readonly unknown: (key: string) => Refusal
}

/** `POST /v1/{collection}/{key}/archive` and `/unarchive`: out of lists and of new use, never out of history. */
export function archiveRoutes<Key extends string, Value>(app: HttpApp, kind: ArchivedKind<Key, Value>): void {
  const { collection, name, scope, params, answer, store, json, unknown } = kind
  for (const verb of ['archive', 'unarchive'] as const) {
    const schema = {
      tags: [collection],
      operationId: `${verb}${name}`,
      summary: verb === 'archive' ? 'Take it out of lists and of new use' : 'Take it into use again',
      description: 'May be repeated. What exists goes on: subscriptions, entitlements, usage and documents stay as they are.',
      params,
      response: { 200: answer, ...REFUSALS },
    }
    app.post(`/v1/${collection}/:key/${verb}`, { config: { scope }, schema }, async (request, reply) => {
      const { key } = request.params as { readonly key: Key }
      const value = await store.archive(request.principal.tenant, key, verb === 'archive')
      return reply.send(json(orThrow(value ?? unknown(key))))
    })
  }
}
