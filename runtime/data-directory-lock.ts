import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Says who holds the directory; `release` lets go of it. */
export type DataDirectoryLock = { release(): void }

export class DataDirectoryInUse extends Error {
  constructor(dataDir: string, holder: string) {
    super(
      `The data directory ${dataDir} is in use by ${holder}. One process at a time can hold it: stop that one, or set TOLLGATE_DATA_DIR to another directory.`,
    )
    this.name = 'DataDirectoryInUse'
  }
}

/**
 * Holds a data directory for this process. The lock is the operating system's own file lock, taken through an empty
 * SQLite file as Node has no call for it: the kernel drops it with the process, so kill -9 leaves nothing stale.
 */
export function lockDataDirectory(dataDir: string, holder: { readonly pid: number; readonly doing: string }): DataDirectoryLock {
  mkdirSync(dataDir, { recursive: true })
  const holderFile = join(dataDir, 'holder.txt')
  const lock = new DatabaseSync(join(dataDir, 'lock.sqlite'), { timeout: LOCK_WAIT_MS_MAX })
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    if ((error as { errcode?: unknown }).errcode !== SQLITE_BUSY) throw error
    throw new DataDirectoryInUse(dataDir, readHolder(holderFile))
  }
  writeFileSync(holderFile, `process ${holder.pid} (${holder.doing})`)
  return { release: () => lock.close() }
}

const SQLITE_BUSY = 5
/** A process that was killed a moment ago may take this long to be gone. */
const LOCK_WAIT_MS_MAX = 3_000

function readHolder(holderFile: string): string {
  try {
    return readFileSync(holderFile, 'utf8')
  } catch {
    return 'another process'
  }
}
