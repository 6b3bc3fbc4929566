import { invariant } from '../../../base/invariant.ts'

/** Servers that hold the store together, as `remote_servers` of their configuration names them. */
export type ClickHouseCluster = { readonly name: string; readonly database: string }

/**
 * Translates a migration's statement for a cluster. A table becomes two on every server: `<table>_local`, replicated within its
 * shard, and one over all shards with the table's own name, so that every other statement stays as it is. A part of the table's
 * sorting key decides each row's shard: rows that replace each other meet in one shard.
 */
export function clusterStatements(statement: string, cluster: ClickHouseCluster): readonly string[] {
  const view = /^CREATE OR REPLACE VIEW (\w+) AS\s([\s\S]*)$/.exec(statement)
  if (view !== null) {
    const [, name, select = ''] = view
    // A subquery over all shards runs once, and not again on every shard.
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

/** The table that stores a table's rows, for statements that change them in place. */
export function storedTable(table: string, cluster: ClickHouseCluster | null): string {
  return cluster === null ? table : `${localTable(table)} ${onCluster(cluster)}`
}

export function onCluster({ name }: ClickHouseCluster): string {
  return `ON CLUSTER \`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``
}

/** Settings of every statement on a cluster, besides those of a single server. */
export const CLUSTER_SETTINGS = {
  // An insert is on most replicas of every shard that it touches when it returns.
  distributed_foreground_insert: 1,
  insert_quorum: 'auto',
  insert_quorum_timeout: '30000',
  // A reader that sees a position sees the rows below it, whichever replica answers: a replica that lags refuses and is asked
  // again. This allows one insert at a time per shard and table; a second one is refused and retried.
  insert_quorum_parallel: 0,
  select_sequential_consistency: '1',
  // An unreachable shard is a fault, not a smaller sum.
  skip_unavailable_shards: 0,
  // A question about one customer goes to that customer's shard alone.
  optimize_skip_unused_shards: 1,
  distributed_ddl_task_timeout: 45,
} as const

/** All rows of one customer are in one shard. */
const SHARDED_BY: Readonly<Record<string, string>> = {
  events: 'cityHash64(tenant, customer)',
  usage_windows: 'cityHash64(tenant, customer)',
  meter_activations: 'cityHash64(tenant, meter)',
  positions: 'log_partition',
  book_invoices: 'cityHash64(tenant, id)',
  book_lines: 'cityHash64(tenant, invoice)',
  book_entries: 'cityHash64(tenant, source)',
  catalog_customers: 'cityHash64(tenant, customer)',
  catalog_plans: 'cityHash64(tenant, plan)',
  catalog_subscriptions: 'cityHash64(tenant, subscription)',
  store_settings: 'cityHash64(name)',
  schema_migrations: 'cityHash64(name)',
}

/** Named by the table's name and not its id: a server that is added later creates its table with another id and must find the others. */
const REPLICAS_PATH = "'/clickhouse/tables/{shard}/{database}/{table}'"
const REPLICA_NAME = "'{replica}'"

function localTable(table: string): string {
  return `${table}_local`
}

/** Lines end with a comma, except the last. */
function withoutIndexes(columns: string): string {
  return columns.replaceAll(/,\n\s+INDEX [^\n]*?(?=,?\n)/g, '')
}

/** A replica that fetched an insert counts for the quorum, so that replica must have it on disk too. */
function withFetchesSynced(rest: string): string {
  return rest.replace('fsync_after_insert = 1', 'fsync_after_insert = 1, min_compressed_bytes_to_fsync_after_fetch = 1')
}

function quotedText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
