import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** `release` gives the directory up. */
export type DataDirectoryLock = { release(): void }

export class DataDirectoryInUse extends Error {
  constructor(dataDir: string, holder: string) {
    super(
      `The data directory ${dataDir} is in use by ${holder}. One process at a time can hold it: stop that one, or set TOLLGATE_DATA_DIR to another directory.`,
    )
    this.name = 'DataDirectoryInUse'
  }
}

export class DataDirectoryNotWritable extends Error {
  constructor(dataDir: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause)
    super(
      `The data directory ${dataDir} cannot be written: ${why}. Nothing was changed: make space on its disk, or give this user the right to write there, and start again.`,
      { cause },
    )
    this.name = 'DataDirectoryNotWritable'
  }
}

/** Other users of the machine could read the events and keys, or change them. */
export class DataDirectoryOpenToOthers extends Error {
  constructor(dataDir: string, mode: number) {
    super(
      `The data directory ${dataDir} is open to other users (mode ${mode.toString(8).padStart(4, '0')}), who could read or change what is in it. Close it and what it holds: chmod -R go= '${dataDir}'`,
    )
    this.name = 'DataDirectoryOpenToOthers'
  }
}

/**
 * Holds a data directory for this process. The lock is the operating system's own file lock, taken through an empty SQLite file
 * as Node has no call for it: the kernel drops it with the process, so kill -9 leaves nothing stale.
 */
export function lockDataDirectory(dataDir: string, holder: { readonly pid: number; readonly doing: string }): DataDirectoryLock {
  const holderFile = join(dataDir, HOLDER_FILE)
  let lock: DatabaseSync | null = null
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    refuseOpenDirectory(dataDir)
    lock = new DatabaseSync(join(dataDir, LOCK_FILE), { timeout: LOCK_WAIT_MS_MAX })
    lock.exec('BEGIN EXCLUSIVE')
    writeFileSync(holderFile, `process ${holder.pid} (${holder.doing})`)
  } catch (error) {
    lock?.close()
    if (error instanceof DataDirectoryOpenToOthers) throw error
    const isHeld = (error as { errcode?: unknown }).errcode === SQLITE_BUSY
    throw isHeld ? new DataDirectoryInUse(dataDir, readHolder(holderFile)) : new DataDirectoryNotWritable(dataDir, error)
  }
  const held = lock
  return { release: () => held.close() }
}

const LOCK_FILE = 'lock.sqlite'
const HOLDER_FILE = 'holder.txt'
/** What a lock leaves in a directory. */
export const LOCK_FILES: readonly string[] = [LOCK_FILE, HOLDER_FILE, `${LOCK_FILE}-journal`]

/** The process's umask protects the files inside. Windows has no such modes. */
function refuseOpenDirectory(dataDir: string): void {
  if (process.platform === 'win32') return
  const mode = statSync(dataDir).mode & 0o7777
  if ((mode & OTHERS) !== 0) throw new DataDirectoryOpenToOthers(dataDir, mode)
}

const OTHERS = 0o077
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
