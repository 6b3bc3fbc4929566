import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openChdbUsageStore } from '../../adapters/usage-store/engine/chdb-usage-store.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { customer, flushOf, instant, offset, partition, storedEvent, windowRow } from './usage-store-builders.ts'

const text = await readFile(new URL('../../docs/analyst-queries.md', import.meta.url), 'utf8')
const queries = new Map(
  [...text.matchAll(/^## (.+)\n\n(?:[^`#\n].*\n\n)?```sql\n([\s\S]+?)\n```/gm)].map(([, title = '', sql = '']) => [title, sql]),
)

describe('the queries that docs/analyst-queries.md shows', () => {
  let path: string
  let store: UsageStore
  const at = (day: string) => instant(Date.parse(day))
  const tokens = (id: string, day: string, key: string, model: string, n: number) =>
    storedEvent({
      id,
      customer: customer(key),
      occurredAtMs: at(day),
      receivedAtMs: instant(at(day) + 2000),
      data: JSON.stringify({ model, tokens: n }),
      offset: offset(Number(id)),
    })
  const events = [
    tokens('1', '2023-11-16T10:00:01Z', 'acme', 'small', 100),
    tokens('2', '2023-11-16T10:00:02Z', 'acme', 'large', 20),
    tokens('3', '2023-11-17T09:00:00Z', 'acme', 'small', 3),
    tokens('4', '2023-11-17T09:00:00Z', 'globex', 'small', 4000),
  ]

  beforeAll(async () => {
    path = await mkdtemp(join(tmpdir(), 'tollgate-analyst-queries-'))
    store = await openChdbUsageStore({
      clock: systemClock,
      path,
      chunkRecords: 1000,
      log: pino({ level: 'silent' }),
      registry: new Registry(),
    })
    await store.migrate()
    const windows = events.map((event) => {
      const { model, tokens: n } = JSON.parse(event.data) as { model: string; tokens: number }
      const nano = BigInt(n) * 1_000_000_000n
      return windowRow({
        customer: event.customer,
        windowStartMs: instant(Math.floor(event.occurredAtMs / 60_000) * 60_000),
        dimensions: { model },
        chunk: event.offset,
        sum: nano,
        max: nano,
      })
    })
    // Everything twice, an older revision and an incomplete one: the views must hide all of it.
    const strayed = windows.flatMap((row) => [
      { ...row, revision: 0 },
      { ...row, revision: 2 },
    ])
    for (let time = 0; time < 2; time++) {
      await store.write(flushOf({ events, windows, positions: [{ partition: partition(0), next: offset(5) }] }))
      await store.write(flushOf({ windows: strayed }))
    }
    const [row] = windows
    if (row === undefined) throw new Error('there are no windows')
    const activation = { tenant: row.tenant, meter: row.meter, partition: row.partition, fromOffset: offset(0) }
    await store.putActivations([
      { ...activation, revision: 0, backfilled: true },
      { ...activation, revision: 1, backfilled: true },
      { ...activation, revision: 2, backfilled: true },
      { ...activation, revision: 2, partition: partition(1), backfilled: false },
    ])
    const line = {
      ...{ tenant: 'default', invoice: 'inv_1', line: '1', number: 'INV-1', document: 'invoice', status: 'finalised', customer: 'acme' },
      ...{ subscription: 's', currency: 'EUR', closes_at: '2023-12-01 00:00:00.000', kind: 'usage', item: 't', feature: 'tokens' },
      ...{ plan: 'pro', plan_version: '1', service_from: '2023-11-01 00:00:00.000', service_to: '2023-12-01 00:00:00.000' },
      ...{ quantity: '123', amount: '1.23', discount: '0', credits: '0', net: '1.23', tax: '0', meter: 'tokens' },
      ...{ log_partition: '0', offset_from: '0', offset_to: '5', version: '7' },
    }
    const base = { ...line, line: '2', kind: 'base', feature: null, quantity: null, meter: null, amount: '30', net: '30.00' }
    const { analystTables } = store
    await analystTables.write('book_lines', [
      { ...line, net: '9.99', version: '6' },
      line,
      base,
      { ...base, invoice: 'inv_2', status: 'void' },
    ])
    const entry = { ...line, source: 'credit/acme/c', position: '0', posted_at: '2023-11-20 00:00:00.000', account: 'credits', credit: 'c' }
    const entryOf = ({ source, position, posted_at, customer: of, currency, account, credit }: typeof entry, amount: string) => {
      return { tenant: 'default', source, position, posted_at, customer: of, currency, account, amount, credit, version: '1' }
    }
    await analystTables.write('book_entries', [entryOf(entry, '-50'), entryOf({ ...entry, source: 'invoice/inv_1' }, '8.5')])
    const acme = {
      tenant: 'default',
      customer: 'acme',
      name: 'Acme',
      currency: null,
      created_at: '2023-10-05 00:00:00.000',
      archived_at: null,
    }
    await analystTables.write('catalog_customers', [{ ...acme, version: '1' }])
  })
  afterAll(async () => {
    await store.stop()
    await rm(path, { recursive: true, force: true })
  })

  test.each([
    {
      title: "A customer's month, day by day",
      rows: [
        { day: '2023-11-16', requests: '2', tokens: '120' },
        { day: '2023-11-17', requests: '1', tokens: '3' },
      ],
    },
    {
      title: 'A month by model',
      rows: [
        { model: 'small', tokens: '4103', requests: '3' },
        { model: 'large', tokens: '20', requests: '1' },
      ],
    },
    {
      title: 'The ten customers that used most',
      rows: [
        { customer: 'globex', tokens: '4000', requests: '1' },
        { customer: 'acme', tokens: '123', requests: '3' },
      ],
    },
    {
      title: 'Raw events of a customer',
      rows: [
        { occurred_at: '2023-11-16 10:00:02.000', id: '2', model: 'large', tokens: '20' },
        { occurred_at: '2023-11-16 10:00:01.000', id: '1', model: 'small', tokens: '100' },
      ],
    },
    { title: 'Does the usage agree with the events?', rows: [{ from_windows: '4123', from_events: '4123' }] },
    { title: 'How late do events arrive?', rows: [{ type: 'llm.request', events: '4', p99_late_seconds: 2 }] },
    { title: 'How far has the log been written into these tables?', rows: [{ log_partition: 0, next_log_offset: '5' }] },
    {
      title: 'Revenue by feature and month',
      rows: [
        { month: '2023-11-01', currency: 'EUR', of: 'base', revenue: '30' },
        { month: '2023-11-01', currency: 'EUR', of: 'tokens', revenue: '1.23' },
      ],
    },
    { title: 'A line against its windows', rows: [{ line: '1', billed: '123', counted: '123' }] },
    { title: 'Credits outstanding by age', rows: [{ currency: 'EUR', age: 'up to a month', outstanding: '41.5' }] },
    {
      title: 'Revenue by cohort of customers',
      rows: [{ cohort: '2023-10-01', month: '2023-11-01', currency: 'EUR', paying: '1', revenue: '31.23' }],
    },
  ])('$title', async ({ title, rows }) => {
    expect(await store.query(queries.get(title) ?? '')).toEqual(rows)
    queries.delete(title)
  })

  test('none is left out', () => {
    expect([...queries.keys()]).toEqual([])
  })
})
