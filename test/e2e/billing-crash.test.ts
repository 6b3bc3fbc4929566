import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Json } from '../../billing/invoices/content-hash.ts'
import { DAY_MS } from '../../domain/time/durations.ts'
import { inLongRun } from '../support/long-run.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import {
  removeDirectory,
  runTollgate,
  startTollgate,
  type TollgateProcess,
  temporaryDirectory,
  waitFor,
} from '../support/servers/tollgate-process.ts'

const SEED = 20_260_301
const CUSTOMERS = 40
const CUSTOMERS_PER_RUN = 5
const KILLS = inLongRun(20, 4)
/** A run of five customers takes some tens of milliseconds: kills fall before, within and behind its transaction. */
const KILL_WITHIN_MS = 150
const DAYS_BILLED = 5
const LATE_PER_KILL = 2
/** Documents that are paid twice over at the end. */
const PAID_AGAIN = 5

type Invoice = Readonly<Record<string, Json>> & {
  readonly id: string
  readonly status: string
  readonly due: string
  readonly paid: string
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
  const late: object[] = []
  /** Amounts by document. */
  const paid = new Map<string, string>()
  const subscriptions: string[] = []
  const startMs = Date.now() - DAYS_BILLED * DAY_MS - DAY_MS / 2
  let tollgate: TollgateProcess
  let dataDir: string
  let invoices: readonly Invoice[]

  beforeAll(async () => {
    dataDir = await temporaryDirectory()
    tollgate = await startTollgate({ dataDir })
    await setUp()
    for (let kill = 0; kill < KILLS; kill++) {
      const unpaid = (await documents('?status=finalised')).find(({ id }) => !paid.has(id))
      const others = Promise.allSettled([sendLate(kill), ...(unpaid === undefined ? [] : [pay(unpaid)])])
      const runs = Promise.allSettled(beginRuns())
      await new Promise((resolve) => setTimeout(resolve, random.below(KILL_WITHIN_MS)))
      await tollgate.kill()
      await Promise.all([runs, others])
      tollgate = await startTollgate({ dataDir })
    }
    await Promise.all(beginRuns())
    await waitFor(async () => (await documents()).length >= CUSTOMERS * (DAYS_BILLED + 1))
    // What may have been lost with the process is sent again: it counts once.
    for (const event of late) await tollgate.ok('POST', '/v1/events', [event])
    for (const document of (await documents()).filter(({ id, due }) => paid.has(id) || due !== '0.00').slice(0, PAID_AGAIN))
      await pay(document)
    for (const [id, amount] of paid) await tollgate.ok('POST', `/v1/invoices/${id}/payments`, { amount, reference: `pay-${id}` })
    for (const id of subscriptions) await tollgate.ok('POST', `/v1/subscriptions/${id}/cancel`, { at: 'now' })
    await Promise.all(beginRuns())
    await waitFor(async () => {
      invoices = await documents()
      return invoices.filter(({ kind }) => kind === 'closing').length >= CUSTOMERS
    })
  })
  afterAll(async () => {
    await tollgate?.kill()
    await removeDirectory(dataDir)
  })

  test('each day of each customer is billed once, and all lines together are what the sender has sent, also late', () => {
    const billed = Map.groupBy(invoices, ({ customer }) => customer)
    expect([...billed.keys()].toSorted()).toEqual(customers)
    for (const [customer, all] of billed) {
      expect(new Set(all.map(({ closesAt }) => closesAt)).size, customer).toBe(all.length)
      expect(all, customer).toHaveLength(DAYS_BILLED + 2)
      const quantity = all.flatMap(({ lines }) => lines).reduce((sum, line) => sum + Number(line.quantity ?? 0), 0)
      expect(quantity, customer).toBe(sent.get(customer))
    }
  })

  test('numbers have no gap and no double', () => {
    for (const [prefix, ofSeries] of Map.groupBy(invoices, ({ number }) => number.replace(/\d+$/, ''))) {
      const inOrder = ofSeries.toSorted((a, b) => (a.number < b.number ? -1 : 1))
      expect(inOrder.map(({ number }) => number)).toEqual(inOrder.map((_, at) => `${prefix}${String(at + 1).padStart(6, '0')}`))
    }
  })

  test('a payment counts once, however often it was sent', () => {
    expect(paid.size).toBeGreaterThan(0)
    for (const [id, amount] of paid)
      expect(invoices.find((each) => each.id === id)).toMatchObject({ status: 'paid', due: '0.00', paid: amount })
  })

  test('the whole book proves itself: every line from its events, numbers, hashes, sums, the ledger', async () => {
    expect(await tollgate.stop()).toBe(0)
    const { code, output } = await runTollgate(['bill', 'verify'], { TOLLGATE_DATA_DIR: dataDir })
    expect(output).toContain(`No difference found in ${invoices.length} documents`)
    expect(code).toBe(0)
  })

  async function documents(query = '?'): Promise<readonly Invoice[]> {
    return (await tollgate.ok<{ data: Invoice[] }>('GET', `/v1/invoices${query}&limit=1000`)).data
  }

  /** Usage of a day that may be final by now. */
  async function sendLate(kill: number): Promise<void> {
    const events = customers.slice(kill * LATE_PER_KILL, (kill + 1) * LATE_PER_KILL).map((customer) => {
      sent.set(customer, (sent.get(customer) ?? 0) + 7)
      const time = new Date(startMs + DAY_MS / 3).toISOString()
      return { specversion: '1.0', id: `${customer}/late`, source: 'test', type: 'call', subject: customer, time, data: { n: 7 } }
    })
    late.push(...events)
    if (events.length > 0) await tollgate.ok('POST', '/v1/events', events)
  }

  /** All that is due of it. */
  async function pay({ id, due }: Invoice): Promise<void> {
    const amount = paid.get(id) ?? due
    paid.set(id, amount)
    await tollgate.ok('POST', `/v1/invoices/${id}/payments`, { amount, reference: `pay-${id}` })
  }

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
      const wanted = { customer, plan: 'daily', startAt: new Date(startMs).toISOString() }
      subscriptions.push((await tollgate.ok<{ id: string }>('POST', '/v1/subscriptions', wanted)).id)
    }
  }
})
