import type { FieldsOf, RefusalRows } from './refusal-row.ts'

/** Refusals of `tollgate restore`. */
export const BACKUP_REFUSALS = {
  no_backup: {
    status: 400,
    means: 'The directory is no backup, or one that did not end.',
    next: 'Name a directory that `tollgate backup` has printed.',
    detail: ({ backup }: { backup: string }) =>
      `${backup} is no backup, or one that did not end: it has no backup.json. Name a directory that tollgate backup has printed.`,
  },
  backup_too_new: {
    status: 400,
    means: 'The backup was made by a newer release.',
    next: 'Restore it with that release.',
    detail: ({ version, readable }: { version: number; readable: number }) =>
      `The backup has version ${version}, and this release reads up to ${readable}; restore it with the release that made it.`,
  },
  backup_changed: {
    status: 400,
    means: 'A file of the backup is missing, cut off or changed.',
    next: 'Restore an earlier backup.',
    detail: ({ file }: { file: string }) =>
      `${file} of the backup is missing, cut off or changed. Nothing was restored; take an earlier backup.`,
  },
  directory_not_empty: {
    status: 409,
    means: 'The data directory already holds something.',
    next: 'Set TOLLGATE_DATA_DIR to an empty directory.',
    detail: ({ directory, held }: { directory: string; held: readonly string[] }) =>
      `${directory} already holds ${held.slice(0, 5).join(', ')}. Nothing was restored; set TOLLGATE_DATA_DIR to an empty directory.`,
  },
} satisfies RefusalRows

declare module '../../../domain/refusal.ts' {
  interface RefusalFields extends FieldsOf<typeof BACKUP_REFUSALS> {}
}
