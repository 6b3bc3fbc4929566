import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, describe, expect, test } from 'vitest'
import { openChdbUsageStore } from '../../adapters/usage-store/engine/chdb-usage-store.ts'
import { openClickHouseUsageStore } from '../../adapters/usage-store/engine/clickhouse-server-usage-store.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import type { FinalInvoice } from '../support/billing/billing-life.ts'
import { type BillingServer, startBillingServer } from '../support/billing/billing-server.ts'
import { instant } from '../support/billing/billing-vectors.ts'
import { startClickHouseFront } from '../support/servers/clickhouse-front.ts'
import { runTollgate } from '../support/servers/tollgate-process.ts'

const START = '2026-01-01T00:00:00Z'
const options = { clock: systemClock, chunkRecords: 1024, log: pino({ level: 'silent' }), registry: new Registry() }

type Row = Readonly<Record<string, unknown>>

/** A month with everything that the book can hold, on a server that is stopped then: what it has exported before is the truth. */
async function livedOn(env: Readonly<Record<string, string>>): Promise<{ server: BillingServer; exported: Map<string, readonly Row[]> }> {
  const server = await startBillingServer(instant(START), env)
  const { ok } = server
  await ok('PUT', '/v1/products/p', { name: 'P' })
  await ok('PUT', '/v1/meters/calls', { eventType: 'call', aggregation: 'sum', value: 'n' })
  await ok('PUT', '/v1/features/calls', { type: 'metered', meter: 'calls' })
  await ok('PUT', '/v1/tax-rates/vat', { name: 'VAT', percent: '19' })
  await ok('PUT', '/v1/billing-settings', { autoFinalise: false, taxRates: ['vat'] })
  const charges = [{ key: 'calls', feature: 'calls', price: { model: 'flat', unitAmount: '0.0333' } }]
  await ok('PUT', '/v1/plans/pro', { product: 'p', name: 'Pro', currency: 'EUR', interval: 'month', baseFee: '30', charges })
  await ok('PUT', '/v1/plans/max', { product: 'p', name: 'Max', currency: 'EUR', interval: 'month', baseFee: '90.01', charges })
  for (const customer of ['acme', 'o\'neil "& sons"', 'beta']) {
    await ok('PUT', `/v1/customers/${encodeURIComponent(customer)}`, { name: `The ${customer}`, currency: 'EUR' })
  }
  await ok('POST', '/v1/subscriptions', { id: 'a', customer: 'acme', plan: 'pro', startAt: START })
  await ok('POST', '/v1/subscriptions', { id: 'b', customer: 'beta', plan: 'pro', startAt: START })
  await ok('POST', '/v1/customers/acme/credits', { id: 'gift', amount: '5', paid: '2' })
  const event = (id: string, n: number) => ({ id, type: 'call', customer: 'acme', time: START, data: { n } })
  await ok('POST', '/v1/events', [event('1', 1_000)])
  await server.bill()
  server.set(instant('2026-01-11T00:00:00Z'))
  await ok('POST', '/v1/subscriptions/a/change', { plan: 'max', at: 'now' })
  server.set(instant('2026-02-01T02:00:00Z'))
  await server.bill()
  const documents = async (customer: string) => (await ok<{ data: FinalInvoice[] }>('GET', `/v1/invoices?customer=${customer}`)).data
  const [first, second] = await documents('acme')
  await ok('POST', `/v1/invoices/${first?.id}/payments`, { amount: first?.due, reference: 'bank-1' })
  await ok('POST', `/v1/invoices/${second?.id}/credit-notes`, { lines: [{ line: '1', amount: '1.00' }], reason: 'kind' })
  const newest = (await documents('beta')).at(-1)
  await ok('POST', `/v1/invoices/${newest?.id}/void`, { reason: 'wrong' })
  const exported = new Map<string, readonly Row[]>()
  for (const kind of ['invoices', 'invoice-lines', 'ledger-entries']) {
    const { body } = await server.call('GET', `/v1/exports/${kind}?format=ndjson`)
    const lines = String(typeof body === 'string' ? body : JSON.stringify(body))
      .trim()
      .split('\n')
    exported.set(
      kind,
      lines.map((line) => JSON.parse(line) as Row),
    )
  }
  await server.close()
  return { server, exported }
}

/** As the export shows it: decimals without trailing zeros, instants with their zone. */
const decimal = (text: unknown) => (text === null || text === '' || text === undefined ? null : String(Number(text)))
const shownInstant = (text: unknown) => `${String(text).replace(' ', 'T')}Z`

async function expectAsExported(store: UsageStore, exported: ReadonlyMap<string, readonly Row[]>): Promise<void> {
  const rowsOf = (view: string) => store.query(`SELECT * FROM ${view} ORDER BY ALL`)
  const sorted = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort()
  const invoices = await rowsOf('invoices')
  const sums = (row: Row) => [row.net, row.tax, row.total, row.due, row.paid].map(decimal)
  expect(sorted(invoices.map((row) => [row.id, row.number, row.status, ...sums(row), shownInstant(row.closes_at)]))).toEqual(
    sorted(exported.get('invoices')?.map((row) => [row.id, row.number, row.status, ...sums(row), row.closesAt]) ?? []),
  )
  const lines = await rowsOf('invoice_lines')
  const line = (row: Row) => [row.invoice, row.line, row.kind, row.feature, ...[row.quantity, row.amount, row.net, row.tax].map(decimal)]
  expect(sorted(lines.map((row) => [...line(row), shownInstant(row.service_from), decimal(row.offset_to)]))).toEqual(
    sorted(exported.get('invoice-lines')?.map((row) => [...line(row), row.from, decimal(row.offsetTo)]) ?? []),
  )
  const entries = await rowsOf('ledger_entries')
  const entry = (row: Row) => [row.source, decimal(row.position), row.account, decimal(row.amount), row.credit]
  expect(sorted(entries.map(entry))).toEqual(sorted(exported.get('ledger-entries')?.map(entry) ?? []))
  expect(invoices.some(({ status }) => status === 'void') && lines.some(({ kind }) => kind === 'unused')).toBe(true)
  expect(await store.query('SELECT subscription, customer, plan FROM subscriptions ORDER BY subscription')).toEqual([
    { subscription: 'a', customer: 'acme', plan: 'max' },
    { subscription: 'b', customer: 'beta', plan: 'pro' },
  ])
  expect(await store.query("SELECT customer, name FROM customers WHERE customer = 'acme'")).toEqual([
    { customer: 'acme', name: 'The acme' },
  ])
  expect(await store.query('SELECT plan, base_fee FROM plans ORDER BY plan')).toMatchObject([
    { plan: 'max', base_fee: '90.01' },
    { plan: 'pro' },
  ])
}

describe('the tables of analysts are the book to the cent', () => {
  let server: BillingServer | undefined
  let store: UsageStore | undefined
  const stops: (() => Promise<void>)[] = []
  afterAll(async () => {
    await store?.stop()
    await server?.stop()
    for (const stop of stops) await stop()
  })

  test('on the embedded engine, also rebuilt from nothing', async () => {
    const lived = await livedOn({})
    server = lived.server
    const path = join(server.dataDir, 'usage-store')
    store = await openChdbUsageStore({ ...options, path })
    await store.migrate()
    await expectAsExported(store, lived.exported)
    await store.analystTables.write('catalog_customers', [
      { tenant: 'default', customer: 'ghost', name: null, currency: null, created_at: null, archived_at: null, version: '1' },
    ])
    await store.stop()
    const rebuilt = await runTollgate(['bill', 'tables', '--rebuild'], { TOLLGATE_DATA_DIR: server.dataDir })
    expect(rebuilt).toMatchObject({ code: 0, output: expect.stringMatching(/\d+ objects copied/) })
    store = await openChdbUsageStore({ ...options, registry: new Registry(), path })
    await store.migrate()
    await expectAsExported(store, lived.exported)
    expect(await store.query("SELECT count() AS ghosts FROM customers WHERE customer = 'ghost'")).toEqual([{ ghosts: '0' }])
    await store.stop()
    store = undefined
    await server.stop()
    server = undefined
  })

  test('on ClickHouse over HTTP', async () => {
    const front = await startClickHouseFront()
    stops.push(() => front.discard())
    const url = front.url(`book_${randomUUID().replaceAll('-', '')}`)
    const lived = await livedOn({ CLICKHOUSE_URL: url })
    server = lived.server
    store = openClickHouseUsageStore({ ...options, registry: new Registry(), url })
    await expectAsExported(store, lived.exported)
  })
})
