import type { FastifyRequest } from 'fastify'
import { type Static, type TSchema, Type } from 'typebox'
import { RefusalError } from '../../domain/refusal.ts'

/** The body as the schema types it; what does not fit is refused with every wrong field. Further fields are ignored. */
export function bodyOf<Schema extends TSchema>(request: FastifyRequest, schema: Schema): Static<Schema> {
  const refusal = request.checkBody(schema, request.body ?? {})
  if (refusal !== null) throw new RefusalError(refusal)
  return (request.body ?? {}) as Static<Schema>
}

export const OptionalText = Type.Optional(Type.Union([Type.String(), Type.Null()]))
export const MetadataSchema = Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]))

/** Properties that are absent or null are left out. */
export function given<Value extends object>(value: Value): { [Name in keyof Value]?: NonNullable<Value[Name]> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined && each !== null)) as never
}
