import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { brokenLink, type Json } from '../../billing/invoices/content-hash.ts'
import { DAY_MS } from '../../domain/time/durations.ts'
import { inLongRun } from '../support/long-run.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { removeDirectory, startTollgate, type TollgateProcess, temporaryDirectory, waitFor } from '../support/servers/tollgate-process.ts'

const SEED = 20_260_301
const CUSTOMERS = 40
const CUSTOMERS_PER_RUN = 5
const KILLS = inLongRun(20, 4)
/** A run of five customers takes some tens of milliseconds: kills fall before, within and behind its transaction. */
const KILL_WITHIN_MS = 150
const DAYS_BILLED = 5

type Invoice = Readonly<Record<string, Json>> & {
  readonly customer: string
  readonly kind: string
  readonly number: string
  readonly closesAt: string
  readonly total: string
  readonly contentHash: string
  readonly previousHash: string | null
  readonly lines: readonly { readonly kind: string; readonly quantity?: string }[]
}

describe(`billing runs that are killed (seed ${SEED})`, () => {
  const random = createSeededRandom(SEED)
  const sent = new Map<string, number>()
  const customers = Array.from({ length: CUSTOMERS }, (_, n) => `c${String(n).padStart(2, '0')}`)
  let tollgate: TollgateProcess
  let dataDir: string
  let invoices: readonly Invoice[]

  beforeAll(async () => {
    dataDir = await temporaryDirectory()
    tollgate = await startTollgate({ dataDir })
    await setUp()
    for (let kill = 0; kill < KILLS; kill++) {
      const runs = Promise.allSettled(beginRuns())
      await new Promise((resolve) => setTimeout(resolve, random.below(KILL_WITHIN_MS)))
      await tollgate.kill()
      await runs
      tollgate = await startTollgate({ dataDir })
    }
    await Promise.all(beginRuns())
    await waitFor(async () => {
      const { data } = await tollgate.ok<{ data: Invoice[] }>('GET', '/v1/invoices?limit=1000')
      invoices = data
      return data.length >= CUSTOMERS * (DAYS_BILLED + 1)
    })
  })
  afterAll(async () => {
    await tollgate?.kill()
    await removeDirectory(dataDir)
  })

  test('each day of each customer is billed once, for what the sender has sent', () => {
    const billed = Map.groupBy(invoices, ({ customer }) => customer)
    expect([...billed.keys()].toSorted()).toEqual(customers)
    for (const [customer, all] of billed) {
      expect(new Set(all.map(({ closesAt }) => closesAt)).size, customer).toBe(all.length)
      expect(all, customer).toHaveLength(DAYS_BILLED + 1)
      const quantity = all.flatMap(({ lines }) => lines).reduce((sum, line) => sum + (line.kind === 'usage' ? Number(line.quantity) : 0), 0)
      expect(quantity, customer).toBe(sent.get(customer))
    }
  })

  test('numbers have no gap and no double, and the chain of hashes is whole', () => {
    const inOrder = invoices.toSorted((a, b) => (a.number < b.number ? -1 : 1))
    expect(inOrder.map(({ number }) => number)).toEqual(inOrder.map((_, at) => `INV-${String(at + 1).padStart(6, '0')}`))
    const chain = inOrder.map(({ contentHash, previousHash, paid: _paid, ...document }) => {
      return { contentHash, previousHash, document: { ...document, status: 'finalised' } }
    })
    expect(brokenLink(chain)).toBeNull()
  })

  /** Several at once, each of some customers: what one writes, another may be deciding. */
  function beginRuns(): readonly Promise<unknown>[] {
    const groups = Array.from({ length: CUSTOMERS / CUSTOMERS_PER_RUN }, (_, at) =>
      customers.slice(at * CUSTOMERS_PER_RUN, (at + 1) * CUSTOMERS_PER_RUN),
    )
    return [...groups, customers].map((some) => tollgate.ok('POST', '/v1/billing-runs', { customers: some }))
  }

  async function setUp(): Promise<void> {
    await tollgate.ok('PUT', '/v1/billing-settings', { graceMs: 0 })
    await tollgate.ok('PUT', '/v1/meters/calls', { eventType: 'call', aggregation: 'sum', value: 'n' })
    await tollgate.ok('PUT', '/v1/features/calls', { type: 'metered', meter: 'calls' })
    await tollgate.ok('PUT', '/v1/products/p', { name: 'P' })
    const charges = [{ key: 'calls', feature: 'calls', price: { model: 'flat', unitAmount: '0.01' } }]
    await tollgate.ok('PUT', '/v1/plans/daily', { product: 'p', name: 'Daily', currency: 'EUR', interval: 'day', baseFee: '1', charges })
    const startMs = Date.now() - DAYS_BILLED * DAY_MS - DAY_MS / 2
    const events = customers.flatMap((customer) =>
      Array.from({ length: 20 }, (_, n) => {
        const quantity = 1 + random.below(100)
        sent.set(customer, (sent.get(customer) ?? 0) + quantity)
        const time = new Date(startMs + random.below(DAYS_BILLED * DAY_MS)).toISOString()
        return { specversion: '1.0', id: `${customer}/${n}`, source: 'test', type: 'call', subject: customer, time, data: { n: quantity } }
      }),
    )
    await tollgate.ok('POST', '/v1/events', events)
    for (const customer of customers) {
      await tollgate.ok('PUT', `/v1/customers/${customer}`, {})
      await tollgate.ok('POST', '/v1/subscriptions', { customer, plan: 'daily', startAt: new Date(startMs).toISOString() })
    }
  }
})
