import type { InstantMs } from '../identity.ts'

/** When a record of the catalog was made and last changed. */
export type RecordTimes = { readonly createdMs: InstantMs; readonly updatedMs: InstantMs }

/** Something archived is not sold or attached anew; what exists goes on. */
export type ArchivableTimes = RecordTimes & {
  /** Null while it is in use. */
  readonly archivedMs: InstantMs | null
}

/** Which records a list holds: `false` those in use, `true` those archived. */
export const ARCHIVED_FILTERS = ['false', 'true', 'any'] as const
export type ArchivedFilter = (typeof ARCHIVED_FILTERS)[number]
