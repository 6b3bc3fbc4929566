import { Type } from 'typebox'
import { ARCHIVED_FILTERS, type ArchivableTimes, type RecordTimes } from '../../domain/catalog/record-times.ts'
import { InstantSchema, ListQuerySchema } from './common.ts'
import { instantJson } from './instants.ts'

export const RECORD_TIMES = { createdAt: InstantSchema, updatedAt: InstantSchema }
export const ARCHIVABLE_TIMES = {
  ...RECORD_TIMES,
  archivedAt: Type.Union([InstantSchema, Type.Null()], { description: 'Not sold or attached anew since then; null while in use' }),
}

export function recordTimesJson({ createdMs, updatedMs }: RecordTimes) {
  return { createdAt: instantJson(createdMs), updatedAt: instantJson(updatedMs) }
}

export function archivableTimesJson({ archivedMs, ...times }: ArchivableTimes) {
  return { ...recordTimesJson(times), archivedAt: archivedMs === null ? null : instantJson(archivedMs) }
}

export const CountedQuerySchema = Type.Object({
  ...ListQuerySchema.properties,
  count: Type.Optional(Type.Boolean({ description: 'Also answer `count`: the records of the whole list' })),
})
export const ArchivableQuerySchema = Type.Object({
  ...CountedQuerySchema.properties,
  archived: Type.Optional(
    Type.Enum([...ARCHIVED_FILTERS], { default: 'false', description: 'Those in use (default), those archived, or `any`' }),
  ),
})
