import { readdir, readFile } from 'node:fs/promises'
import type { Logger } from 'pino'
import { Fault } from '../../../base/fault.ts'
import { encodeTexts } from '../native/native-rows.ts'
import type { ClickHouseExecutor } from './clickhouse-executor.ts'
import { type ClickHouseCluster, clusterStatements } from './cluster-statements.ts'

const MIGRATIONS_DIRECTORY = new URL('../../../schemas/usage-store/', import.meta.url)

/**
 * Applies the migrations that this store has not recorded, in the order of their names. Statements create only what does not
 * exist, so the next start completes one that was interrupted.
 */
export async function migrateUsageStore(executor: ClickHouseExecutor, log: Logger, cluster: ClickHouseCluster | null): Promise<void> {
  if (cluster !== null) await checkCluster(executor, cluster)
  await checkKind(executor, cluster)
  const run = async (statement: string) => {
    for (const each of cluster === null ? [statement] : clusterStatements(statement, cluster)) await executor.command(each)
  }
  await run(
    `CREATE TABLE IF NOT EXISTS schema_migrations (
      name String COMMENT 'File name of the migration',
      applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was completed'
    ) ENGINE = ReplacingMergeTree ORDER BY name COMMENT 'Migrations that this store has seen.'`,
  )
  const applied = new Set((await executor.select('SELECT DISTINCT name FROM schema_migrations')).map(([name]) => String(name)))
  const names = (await readdir(MIGRATIONS_DIRECTORY)).filter((name) => name.endsWith('.sql')).sort()
  const unknown = [...applied].filter((name) => !names.includes(name))
  if (unknown.length > 0) {
    throw rejected(
      `the usage store has migrations that this version does not know: ${unknown.join(', ')}. Run the version that made them, or a newer one.`,
    )
  }
  for (const name of names) {
    if (applied.has(name)) continue
    const text = await readFile(new URL(name, MIGRATIONS_DIRECTORY), 'utf8')
    for (const statement of statementsOf(text)) await run(statement)
    await executor.insert('schema_migrations', encodeTexts({ name }))
    log.info({ migration: name }, 'migrated the usage store')
  }
}

async function checkCluster(executor: ClickHouseExecutor, { name }: ClickHouseCluster): Promise<void> {
  const shards = await executor.select('SELECT min(internal_replication) FROM system.clusters WHERE cluster = {name:String}', { name })
  if (Number(shards[0]?.[0]) === 1) return
  throw rejected(
    `cluster ${name} of the usage store would write each row to every replica: set internal_replication to true for its shards in remote_servers`,
  )
}

/** An existing table is left as it is, so that the tables of a single server would be taken for those of a cluster. */
async function checkKind(executor: ClickHouseExecutor, cluster: ClickHouseCluster | null): Promise<void> {
  const rows = await executor.select("SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = 'events'")
  const engine = rows[0] === undefined ? null : String(rows[0][0])
  if (engine === null || (engine === 'Distributed') === (cluster !== null)) return
  throw rejected(
    cluster === null
      ? 'the usage store was made for a cluster: set CLICKHOUSE_CLUSTER to its name'
      : `the usage store was made for one server: unset CLICKHOUSE_CLUSTER, or name another database, into which the aggregator reads the log anew`,
  )
}

function rejected(message: string): Fault {
  return new Fault('usage_store_rejected', message, { canRetry: false, publicText: 'The usage store could not answer this request.' })
}

/** Statements end with a semicolon at the end of a line; `--` lines are comments. */
export function statementsOf(text: string): readonly string[] {
  return text
    .replaceAll(/^--.*$/gm, '')
    .split(/;$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
}

/**
 * Checks the chunk size written when the store was created against ours: rows of another chunk size would be counted beside ours
 * instead of replaced by them.
 */
export async function settleChunkRecords(executor: ClickHouseExecutor, chunkRecords: number): Promise<number> {
  const stored = Number(await settled(executor, 'chunk_records', String(chunkRecords)))
  if (stored === chunkRecords) return stored
  throw rejected(
    `the usage store was made with chunks of ${stored} log records and is opened with ${chunkRecords}: set the chunk size back to ${stored}, or rebuild into an empty store`,
  )
}

/** With another number of shards customers move, and their rewritten rows would be counted beside the old ones. */
export async function settleShards(executor: ClickHouseExecutor, { name }: ClickHouseCluster): Promise<void> {
  const rows = await executor.select('SELECT uniqExact(shard_num) FROM system.clusters WHERE cluster = {name:String}', { name })
  const shards = Number(rows[0]?.[0])
  const stored = Number(await settled(executor, 'shards', String(shards)))
  if (stored === shards) return
  throw rejected(
    `the usage store was made on ${stored} shards and cluster ${name} has ${shards}: customers would move. Bring back ${stored}, or name another database, into which the aggregator reads the log anew`,
  )
}

/** Which installation a store belongs to: the id of its database. `isNew`: the database has never been used. */
export type InstallationOfStore = { readonly id: string; readonly isNew: boolean; readonly database: string }

/**
 * A store with the id of another database would answer for customers that this one does not know. Without an id it is from before
 * there were any, and is taken for the database's own, unless the database is new.
 */
export async function settleInstallation(
  executor: ClickHouseExecutor,
  address: string,
  { id, isNew, database }: InstallationOfStore,
): Promise<void> {
  const held = await settledText(executor, 'installation')
  const wasUsed = held === undefined && isNew && (await settledText(executor, 'chunk_records')) !== undefined
  const stored = wasUsed ? null : (held ?? (await settled(executor, 'installation', id)))
  if (stored === id) return
  throw rejected(
    `the stores do not belong together: the usage store at ${address} is of another installation than ${database}. Set DATABASE_URL as it was when the store was made, or name another database in CLICKHOUSE_URL, into which the aggregator reads the log anew`,
  )
}

/** The value from when the store was created; ours when it is created now. */
async function settled(executor: ClickHouseExecutor, name: string, value: string): Promise<string> {
  const stored = await settledText(executor, name)
  if (stored !== undefined) return stored
  await executor.insert('store_settings', encodeTexts({ name, value }))
  // Another process may have been faster.
  return (await settledText(executor, name)) ?? value
}

async function settledText(executor: ClickHouseExecutor, name: string): Promise<string | undefined> {
  const rows = await executor.select('SELECT argMin(value, written_at) FROM store_settings WHERE name = {name:String} HAVING count() > 0', {
    name,
  })
  return rows[0] === undefined ? undefined : String(rows[0][0])
}
