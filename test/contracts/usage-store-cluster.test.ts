import { readdir, readFile } from 'node:fs/promises'
import { afterAll, expect, test } from 'vitest'
import type { ClickHouseExecutor, QueryParams } from '../../adapters/usage-store/engine/clickhouse-executor.ts'
import { CLUSTER_SETTINGS, clusterStatements, onCluster, storedTable } from '../../adapters/usage-store/engine/cluster-statements.ts'
import { ENGINE_SETTINGS } from '../../adapters/usage-store/engine/engine-settings.ts'
import { statementsOf } from '../../adapters/usage-store/engine/migrate-usage-store.ts'
import { createEventQueries } from '../../adapters/usage-store/queries/event-queries.ts'
import { createWindowQueries } from '../../adapters/usage-store/queries/window-queries.ts'
import { startClickHouseFront } from '../support/servers/clickhouse-front.ts'
import { customer, instant, meter, NOON, offset, partition, tenant } from './usage-store-builders.ts'

/**
 * The embedded engine has no other servers to talk to. It knows the cluster from its configuration and has a keeper in memory, so
 * it can create every table, but neither pass a statement on nor insert rows through the tables.
 */
const CONFIG = `<clickhouse>
  <zookeeper><implementation>testkeeper</implementation></zookeeper>
  <interserver_http_host>localhost</interserver_http_host>
  <macros><shard>1</shard><replica>a</replica></macros>
  <remote_servers><main>
    <shard><internal_replication>true</internal_replication><replica><host>127.0.0.1</host><port>1</port></replica></shard>
    <shard><internal_replication>true</internal_replication><replica><host>127.0.0.1</host><port>2</port></replica></shard>
  </main></remote_servers>
</clickhouse>`
const CLUSTER = { name: 'main', database: 'tollgate' }
const MIGRATIONS = new URL('../../schemas/usage-store/', import.meta.url)

const front = await startClickHouseFront(CONFIG)
// Killed, because the engine waits for a replica that is still looking for the others.
afterAll(() => front.discard())

/** A connection keeps no state: settings and database go with each statement. */
async function run(sql: string, settings: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const url = new URL(front.url(''))
  const authorization = `Basic ${Buffer.from(`${url.username}:${url.password}`).toString('base64')}`
  const query = new URLSearchParams(Object.entries(settings).map(([name, value]): [string, string] => [name, String(value)]))
  const answer = await fetch(`${url.origin}/?${query}`, { method: 'POST', body: sql, headers: { authorization } })
  const text = await answer.text()
  if (!answer.ok) throw new Error(text)
  return text
}

test('the engine knows every setting, understands every statement as it is sent, and makes every table on its side', async () => {
  await run('CREATE DATABASE tollgate')
  const settings = { ...ENGINE_SETTINGS, ...CLUSTER_SETTINGS, database: 'tollgate' }
  for (const name of (await readdir(MIGRATIONS)).sort()) {
    for (const statement of statementsOf(await readFile(new URL(name, MIGRATIONS), 'utf8'))) {
      for (const each of clusterStatements(statement, CLUSTER)) {
        expect(Number(await run(`SELECT length(formatQuery(${quoted(each)}))`))).toBeGreaterThan(0)
        await run(each.replace(` ${onCluster(CLUSTER)}`, ''), settings)
      }
    }
  }
  const made = await run("SELECT name, engine FROM system.tables WHERE database = 'tollgate' ORDER BY name")
  const book = ['book_entries', 'book_invoices', 'book_lines', 'catalog_customers', 'catalog_plans', 'catalog_subscriptions']
  const replaced = [...book, 'events', 'meter_activations', 'positions', 'usage_windows']
  const views = ['customers', 'invoice_lines', 'invoices', 'ledger_entries', 'plans', 'subscriptions', 'usage', 'usage_events']
  const tables = [
    ...[...replaced, 'store_settings'].map((name) => `${name}\tDistributed`),
    ...replaced.map((name) => `${name}_local\tReplicatedReplacingMergeTree`),
    'store_settings_local\tReplicatedMergeTree',
    ...views.map((name) => `${name}\tView`),
  ]
  expect(made.trim().split('\n').sort()).toEqual(tables.sort())
  const replicas = await run("SELECT zookeeper_path FROM system.replicas WHERE table = 'events_local'")
  expect(replicas.trim()).toBe('/clickhouse/tables/1/tollgate/events_local')
})

test('the engine understands what changes rows in place', async () => {
  const sql = `DELETE FROM ${storedTable('usage_windows', CLUSTER)} WHERE tenant = 'a' SETTINGS lightweight_deletes_sync = 0`
  expect(await run(`SELECT formatQuery(${quoted(sql)})`)).toContain('ON CLUSTER main')
})

test('the engine plans the reads of usage and of minutes over all shards, bounds of customers and rewrites included', async () => {
  const asked: string[] = []
  const explain = async (sql: string, params: QueryParams = {}) => {
    asked.push(sql)
    const given = Object.fromEntries(Object.entries(params).map(([name, value]) => [`param_${name}`, parameterText(value)]))
    const plan = await run(`EXPLAIN ${sql}`, { ...ENGINE_SETTINGS, ...CLUSTER_SETTINGS, database: 'tollgate', ...given })
    expect(plan).toContain('ReadFromRemote')
    return []
  }
  const executor = { select: explain } as unknown as ClickHouseExecutor
  const usage = { tenant: tenant('a'), meter: meter('m'), revision: 1, filter: { model: ['x'] }, groupBy: ['model'], rowsMax: 9 }
  const [startMs, endMs] = [instant(NOON + 1), instant(NOON + 90_000)]
  const keys = [customer('b'), customer('c')]
  const windows = createWindowQueries(executor, () => 1_000)
  await windows.usage({ ...usage, customers: keys, fromMs: NOON, toMs: instant(NOON + 60_000) })
  const periods = new Map(keys.map((key, at) => [key, [{ startMs: instant(startMs - at), endMs }]]))
  await windows.usageOfCustomers({ ...usage, periods })
  await windows.usageOfCustomers({ ...usage, periods, cutOffs: new Map([[partition(0), offset(1_500)]]) })
  const minutes = keys.map((key) => ({ customer: key, startMs: NOON }))
  for await (const events of createEventQueries(executor).scanEvents({ tenant: tenant('a'), minutes })) expect(events).toEqual([])
  expect(asked).toHaveLength(4)
})

/** A value in the syntax of a request parameter. */
function parameterText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((each) => (typeof each === 'string' ? quoted(each) : String(each))).join(',')}]`
  return String(value).replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n')
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
