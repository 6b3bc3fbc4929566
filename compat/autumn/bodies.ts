import type { FastifyRequest } from 'fastify'
import { type Static, type TSchema, Type } from 'typebox'
import { RefusalError } from '../../domain/refusal.ts'
import { instantMsOf } from '../instant-ms.ts'

/** The body as the schema types it; none counts as `{}`. Further fields are ignored. */
export function bodyOf<Schema extends TSchema>(request: FastifyRequest, schema: Schema): Static<Schema> {
  const body = request.body ?? {}
  const refusal = request.checkBody(schema, body)
  if (refusal !== null) throw new RefusalError(refusal)
  return body as Static<Schema>
}

export const Properties = Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]))
export const OptionalText = Type.Optional(Type.Union([Type.String(), Type.Null()]))
export const OptionalNumber = Type.Optional(Type.Union([Type.Number(), Type.Null()]))

/** Unix milliseconds, as all of Autumn's times are. */
export function msOf(instant: string | null | undefined): number | null {
  return instant === null || instant === undefined ? null : instantMsOf(instant)
}
