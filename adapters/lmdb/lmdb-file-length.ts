import { statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import type { Key, RootDatabase } from 'lmdb'

export type CutOffFile = { readonly file: string; readonly foundBytes: number; readonly pagesBytes: number }

/**
 * LMDB maps its file into memory, so a page that is missing at the file's end does not fail a read: it ends the process without a
 * word. So a file that was cut off is recognised by its length, before anything is read from it. Without `root` the file is not
 * open yet, and is only checked for the two pages that LMDB begins with. Null when the file is whole, or new.
 */
export function findCutOffFile(path: string, root: RootDatabase<unknown, Key> | null): CutOffFile | null {
  const foundBytes = fileBytes(path)
  const pagesBytes = root === null ? FIRST_PAGES_BYTES : bytesOfPages(root)
  return foundBytes === 0 || foundBytes >= pagesBytes ? null : { file: fileOf(path), foundBytes, pagesBytes }
}

/**
 * LMDB does not write a last page that the same commit took and gave back. This fills it up, so that a file that is too short is
 * always one that was cut off.
 */
export function fillUpFile(path: string, root: RootDatabase<unknown, Key>): void {
  const pagesBytes = bytesOfPages(root)
  if (fileBytes(path) < pagesBytes) truncateSync(fileOf(path), pagesBytes)
}

const FIRST_PAGES_BYTES = 2 * 4_096

const fileOf = (path: string): string => join(path, 'data.mdb')

/** 0 when there is no file yet. */
function fileBytes(path: string): number {
  return statSync(fileOf(path), { throwIfNoEntry: false })?.size ?? 0
}

function bytesOfPages(root: RootDatabase<unknown, Key>): number {
  const { pageSize, lastPageNumber } = root.getStats() as Readonly<Record<'pageSize' | 'lastPageNumber', number>>
  return (lastPageNumber + 1) * pageSize
}
