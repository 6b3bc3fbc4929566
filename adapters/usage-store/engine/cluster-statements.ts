import { invariant } from '../../../base/invariant.ts'

/** Servers that hold the store together, as `remote_servers` of their configuration names them. */
export type ClickHouseCluster = { readonly name: string; readonly database: string }

/**
 * What a migration's statement becomes on a cluster. A table becomes two on every server: `<table>_local`, replicated within
 * its shard, and over all shards one of the table's own name, so that every other statement stays as it is. Each row's shard
 * follows from a part of its table's sorting key: rows that replace each other meet in one shard.
 */
export function clusterStatements(statement: string, cluster: ClickHouseCluster): readonly string[] {
  const view = /^CREATE OR REPLACE VIEW (\w+) AS\s([\s\S]*)$/.exec(statement)
  if (view !== null) {
    const [, name, select = ''] = view
    // A subquery over all shards runs once, and not on every shard again.
    return [`CREATE OR REPLACE VIEW ${name} ${onCluster(cluster)} AS\n${select.replaceAll(/ IN \(\s*SELECT/g, ' GLOBAL$&')}`]
  }
  const table =
    /^CREATE TABLE IF NOT EXISTS (\w+) (\([\s\S]*\))\s+ENGINE = (\w*MergeTree)(?:\((\w+)\))?\s([\s\S]*?)COMMENT ('(?:[^'\\]|\\.)*')$/.exec(
      statement,
    )
  invariant(table !== null, `a migration makes a table or a view, not: ${statement.slice(0, 80)}`)
  const [, name = '', columns = '', engine, version, rest = '', comment] = table
  const shardedBy = SHARDED_BY[name]
  invariant(shardedBy !== undefined, `it is known what decides the shard of ${name}`)
  const replicated = [REPLICAS_PATH, REPLICA_NAME, ...(version === undefined ? [] : [version])].join(', ')
  const [database, local] = [quotedText(cluster.database), localTable(name)]
  return [
    `CREATE TABLE IF NOT EXISTS ${local} ${onCluster(cluster)} ${columns}\nENGINE = Replicated${engine}(${replicated})\n${withFetchesSynced(rest)}COMMENT ${comment}`,
    `CREATE TABLE IF NOT EXISTS ${name} ${onCluster(cluster)} ${withoutIndexes(columns)}\nENGINE = Distributed(${quotedText(cluster.name)}, ${database}, ${quotedText(local)}, ${shardedBy})\nCOMMENT ${comment}`,
  ]
}

/** What holds a table's rows, for statements that change them in place. */
export function storedTable(table: string, cluster: ClickHouseCluster | null): string {
  return cluster === null ? table : `${localTable(table)} ${onCluster(cluster)}`
}

export function onCluster({ name }: ClickHouseCluster): string {
  return `ON CLUSTER \`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``
}

/** Settings of every statement on a cluster, beside those that a server alone is given. */
export const CLUSTER_SETTINGS = {
  // An insert has happened, on most replicas of every shard that it touches, when it returns.
  distributed_foreground_insert: 1,
  insert_quorum: 'auto',
  insert_quorum_timeout: '30000',
  // Whoever reads a position sees the rows below it, whichever replica answers: one that lags refuses and is asked again.
  // It needs one insert at a time per shard and table; the second is refused and tried again.
  insert_quorum_parallel: 0,
  select_sequential_consistency: '1',
  // A shard that is away is a fault, not a smaller sum.
  skip_unavailable_shards: 0,
  // What is asked about one customer goes to that customer's shard alone.
  optimize_skip_unused_shards: 1,
  distributed_ddl_task_timeout: 45,
} as const

/** Everything of one customer is in one shard. */
const SHARDED_BY: Readonly<Record<string, string>> = {
  events: 'cityHash64(tenant, customer)',
  usage_windows: 'cityHash64(tenant, customer)',
  meter_activations: 'cityHash64(tenant, meter)',
  positions: 'log_partition',
  store_settings: 'cityHash64(name)',
  schema_migrations: 'cityHash64(name)',
}

/** By name, not by the table's own id: a server that is added later makes its table with another id and must find the others. */
const REPLICAS_PATH = "'/clickhouse/tables/{shard}/{database}/{table}'"
const REPLICA_NAME = "'{replica}'"

function localTable(table: string): string {
  return `${table}_local`
}

/** Of lines that end with a comma, but for the last. */
function withoutIndexes(columns: string): string {
  return columns.replaceAll(/,\n\s+INDEX [^\n]*?(?=,?\n)/g, '')
}

/** A replica that fetched an insert counts for the quorum, so that it must have it on disk too. */
function withFetchesSynced(rest: string): string {
  return rest.replace('fsync_after_insert = 1', 'fsync_after_insert = 1, min_compressed_bytes_to_fsync_after_fetch = 1')
}

function quotedText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
