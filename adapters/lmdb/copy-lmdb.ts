import { mkdir } from 'node:fs/promises'
import type { RootDatabase } from 'lmdb'

/** Copies a database as of one commit into a directory of its own, while others read and write. */
export async function copyLmdb<Value, Key extends import('lmdb').Key>(root: RootDatabase<Value, Key>, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  // Free pages are left out, so a copy is as small as what is in it.
  await root.backup(directory, true)
}
