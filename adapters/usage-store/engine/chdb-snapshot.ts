import { cp, mkdir, rm } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'

export type ChdbDirectory = {
  readonly path: string
  readonly run: (sql: string) => Promise<void>
}

/**
 * Copies the engine's directory while it goes on. A part of a table never changes once it is written, and FREEZE links the parts of
 * a table that there are. Positions come first: the copy is as after a kill between the rows of a flush and its position, so whoever
 * opens it folds those records again and writes the same rows.
 */
export async function snapshotChdb({ path, run }: ChdbDirectory, directory: string): Promise<void> {
  const frozen = join(path, 'shadow', FROZEN)
  // Left behind by a killed process.
  await rm(frozen, { recursive: true, force: true })
  try {
    for (const table of TABLES) await run(`ALTER TABLE ${table} FREEZE WITH NAME '${FROZEN}'`)
    await mkdir(directory, { recursive: true })
    const isKept = (source: string) => !isPartOrPassing(relative(path, source).split(sep))
    await cp(path, directory, { recursive: true, verbatimSymlinks: true, filter: isKept })
    await cp(join(frozen, 'store'), join(directory, 'store'), { recursive: true })
  } finally {
    await rm(frozen, { recursive: true, force: true })
  }
}

const FROZEN = 'tollgate_backup'
/** In the order in which they are frozen. */
const TABLES = ['positions', 'store_settings', 'meter_activations', 'usage_windows', 'events']

/** Of the directory itself only what says which tables there are is copied: parts come from the frozen ones. */
function isPartOrPassing([top = '', , , inTable = '']: readonly string[]): boolean {
  if (top === 'store') return inTable !== '' && inTable !== 'format_version.txt' && !inTable.endsWith('.sql')
  return top !== '' && !KEPT.includes(top)
}

const KEPT = ['metadata', 'data', 'store', 'installation', 'uuid']
