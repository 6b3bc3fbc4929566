import { expect, test } from 'vitest'
import { clusterStatements, onCluster, storedTable } from './cluster-statements.ts'

const cluster = { name: 'main', database: 'tollgate' }

test('a table becomes one replicated in its shard and one over all shards', () => {
  const statement = `CREATE TABLE IF NOT EXISTS usage_windows (
  tenant String COMMENT 'Whose (tenant)',
  customer String,
  version UInt64,
  INDEX some version TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, customer)
SETTINGS fsync_after_insert = 1
COMMENT 'It\\'s per minute.'`
  expect(clusterStatements(statement, cluster)).toEqual([
    `CREATE TABLE IF NOT EXISTS usage_windows_local ON CLUSTER \`main\` (
  tenant String COMMENT 'Whose (tenant)',
  customer String,
  version UInt64,
  INDEX some version TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)
ORDER BY (tenant, customer)
SETTINGS fsync_after_insert = 1, min_compressed_bytes_to_fsync_after_fetch = 1
COMMENT 'It\\'s per minute.'`,
    `CREATE TABLE IF NOT EXISTS usage_windows ON CLUSTER \`main\` (
  tenant String COMMENT 'Whose (tenant)',
  customer String,
  version UInt64
)
ENGINE = Distributed('main', 'tollgate', 'usage_windows_local', cityHash64(tenant, customer))
COMMENT 'It\\'s per minute.'`,
  ])
})

test('a view asks for what it compares with once, and not on every shard', () => {
  const [view = '', ...more] = clusterStatements(
    'CREATE OR REPLACE VIEW v AS\nSELECT a FROM t WHERE (a, b) IN (\n  SELECT a, b FROM u)',
    cluster,
  )
  expect(view).toBe('CREATE OR REPLACE VIEW v ON CLUSTER `main` AS\nSELECT a FROM t WHERE (a, b) GLOBAL IN (\n  SELECT a, b FROM u)')
  expect(more).toEqual([])
})

test.each([
  { statement: 'DROP TABLE events', says: /table or a view/ },
  { statement: "CREATE TABLE IF NOT EXISTS rates (a String) ENGINE = MergeTree ORDER BY a COMMENT 'x'", says: /shard of rates/ },
  { statement: "CREATE TABLE IF NOT EXISTS events (a String) ENGINE = Memory COMMENT 'x'", says: /table or a view/ },
])('nothing is made on one server only by mistake: $statement', ({ statement, says }) => {
  expect(() => clusterStatements(statement, cluster)).toThrow(says)
})

test('what changes rows goes to the table that holds them', () => {
  expect(storedTable('events', null)).toBe('events')
  expect(storedTable('events', cluster)).toBe('events_local ON CLUSTER `main`')
  expect(onCluster({ ...cluster, name: 'a`b\\c' })).toBe('ON CLUSTER `a\\`b\\\\c`')
})
