import { readdir, readFile } from 'node:fs/promises'
import type { Logger } from 'pino'
import { Fault } from '../../domain/fault.ts'
import type { ClickHouseExecutor } from './clickhouse-executor.ts'
import { encodeTexts } from './native-rows.ts'

const MIGRATIONS_DIRECTORY = new URL('../../schemas/usage-store/', import.meta.url)

/**
 * Applies the migrations that this store has not recorded, in the order of their names. Statements create only what is
 * not there, so one cut off half-way is completed by the next start.
 */
export async function migrateUsageStore(executor: ClickHouseExecutor, log: Logger): Promise<void> {
  await executor.command(
    `CREATE TABLE IF NOT EXISTS schema_migrations (
      name String COMMENT 'File name of the migration',
      applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was completed'
    ) ENGINE = ReplacingMergeTree ORDER BY name COMMENT 'Migrations that this store has seen.'`,
  )
  const applied = new Set((await executor.select('SELECT DISTINCT name FROM schema_migrations')).map(([name]) => String(name)))
  const names = (await readdir(MIGRATIONS_DIRECTORY)).filter((name) => name.endsWith('.sql')).sort()
  const unknown = [...applied].filter((name) => !names.includes(name))
  if (unknown.length > 0) {
    throw new Fault(
      'usage_store_rejected',
      `the usage store has migrations that this version does not know: ${unknown.join(', ')}. Run the version that made them, or a newer one.`,
      {
        canRetry: false,
        publicText: 'The usage store could not answer this request.',
      },
    )
  }
  for (const name of names) {
    if (applied.has(name)) continue
    const text = await readFile(new URL(name, MIGRATIONS_DIRECTORY), 'utf8')
    for (const statement of statementsOf(text)) await executor.command(statement)
    await executor.insert('schema_migrations', encodeTexts({ name }))
    log.info({ migration: name }, 'migrated the usage store')
  }
}

/** Statements end with a semicolon at the end of a line; `--` lines are comments. */
function statementsOf(text: string): readonly string[] {
  return text
    .replaceAll(/^--.*$/gm, '')
    .split(/;\s*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
}

/**
 * The chunk size written at the store's birth, checked against ours: rows of another chunk size would be counted beside
 * ours instead of replaced by them.
 */
export async function settleChunkRecords(executor: ClickHouseExecutor, chunkRecords: number): Promise<number> {
  const read = async (): Promise<number | undefined> => {
    const rows = await executor.select(
      "SELECT argMin(value, written_at) FROM store_settings WHERE name = 'chunk_records' HAVING count() > 0",
    )
    return rows[0] === undefined ? undefined : Number(rows[0][0])
  }
  let stored = await read()
  if (stored === undefined) {
    await executor.insert('store_settings', encodeTexts({ name: 'chunk_records', value: String(chunkRecords) }))
    stored = await read()
  }
  if (stored === chunkRecords) return stored
  throw new Fault(
    'usage_store_rejected',
    `the usage store was made with chunks of ${stored} log records and is opened with ${chunkRecords}: set the chunk size back to ${stored}, or rebuild into an empty store`,
    { canRetry: false, publicText: 'The usage store could not answer this request.' },
  )
}
