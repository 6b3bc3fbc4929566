import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Installation } from '../../adapters/database/installation/installation-store.ts'
import { CommandFailed } from './command-failed.ts'

export type EmbeddedStore = 'event-log' | 'usage-store' | 'counters'

/**
 * Each embedded store has the id of its database in a file of its own directory, written before the store is first opened. A store
 * with another id belongs to another database: opened together, they would answer for customers and events that the other does not
 * know. A store without an id is from before there were any, and is taken for the database's own, unless the database is new.
 */
export function settleEmbeddedStores(
  { dataDir, stores, database }: { readonly dataDir: string; readonly stores: readonly EmbeddedStore[]; readonly database: string },
  { id, isNew }: Installation,
): void {
  const foreign = stores.filter((store) => {
    const directory = join(dataDir, store)
    const held = idIn(directory)
    return (held === null ? isNew : held !== id) && hasOtherEntries(directory)
  })
  if (foreign.length > 0) throw notTogether(dataDir, foreign, database)
  for (const store of stores) {
    const directory = join(dataDir, store)
    if (idIn(directory) === id) continue
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    writeFileSync(join(directory, INSTALLATION_FILE), `${id}\n`, { mode: 0o600, flush: true })
  }
}

/** In the directory of each store. */
export const INSTALLATION_FILE = 'installation'

function idIn(directory: string): string | null {
  try {
    return readFileSync(join(directory, INSTALLATION_FILE), 'utf8').trim()
  } catch (error) {
    if (isAbsent(error)) return null
    throw error
  }
}

/** A store that was marked and never opened holds nothing. */
function hasOtherEntries(directory: string): boolean {
  try {
    return readdirSync(directory).some((entry) => entry !== INSTALLATION_FILE)
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}

const isAbsent = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'

function notTogether(dataDir: string, foreign: readonly EmbeddedStore[], database: string): CommandFailed {
  const held = foreign.map((store) => join(dataDir, store)).join(', ')
  return new CommandFailed(
    `The stores do not belong together: ${held} ${foreign.length === 1 ? 'is' : 'are'} of another installation than ${database}. Nothing was changed. To go on with what is in ${dataDir}, set DATABASE_URL as it was when that was made, or unset it when it was not set. To use this database, set TOLLGATE_DATA_DIR to an empty directory. How to move: docs/guide/distributed.md#moving.`,
  )
}
