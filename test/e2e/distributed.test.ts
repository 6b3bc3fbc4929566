import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDistributedStack } from '../support/distributed-stack.ts'
import { realTrace, type TraceTotals } from '../support/real-trace.ts'
import { createTraceCatalog, subscribeTraceCustomers } from '../support/real-trace-catalog.ts'
import { runTollgate, type TollgateProcess, waitFor } from '../support/tollgate-process.ts'

const EVENTS = 28_185
const INVOICES_AT = '2023-11-30T12:00:00Z'
const INVOICED_CUSTOMERS = 12

const { stack, missing } = realTrace.isPresent ? await openDistributedStack() : { stack: null, missing: 'the real trace is not there' }

/**
 * Two processes of each role. Both gateways are sent the whole hostile delivery at once, so that every event comes at least
 * twice, and one of the aggregators is killed on the way and not replaced.
 */
describe.skipIf(stack === null)(`roles apart, twice each${missing === null ? '' : ` (not run: ${missing})`}`, () => {
  let ingests: readonly TollgateProcess[] = []
  let aggregators: readonly TollgateProcess[] = []
  let apis: readonly TollgateProcess[] = []

  beforeAll(async () => {
    if (stack === null) return
    // In no order: each waits for what it needs.
    const [api1, ingest1] = await Promise.all([stack.start('api'), stack.start('ingest')])
    const [aggregator1, api2] = await Promise.all([stack.start('aggregator'), stack.start('api')])
    const [ingest2, aggregator2] = await Promise.all([stack.start('ingest'), stack.start('aggregator')])
    ingests = [ingest1, ingest2]
    aggregators = [aggregator1, aggregator2]
    apis = [api1, api2]
    await createTraceCatalog(api1)
    const imports = ingests.map(importTrace)
    await waitFor(async () => (await eventsCounted(api1)) > 2_000, 60_000)
    expect(await partitionsOf(aggregator1)).toBeGreaterThan(0)
    await aggregator1.kill()
    for (const result of await Promise.all(imports)) expect(result, result.output).toMatchObject({ code: 0 })
    await waitFor(async () => (await eventsCounted(api2)) >= EVENTS, 90_000)
  }, 240_000)

  afterAll(() => stack?.discard(), 60_000)

  test.each([
    { group: 'by_month', window: 'month', groupBy: '' },
    { group: 'by_hour_model', window: 'hour', groupBy: 'model' },
  ])('usage $group equals the known totals, whichever api is asked', async ({ group, window, groupBy }) => {
    const expected = realTrace.usage()[group] ?? {}
    for (const api of apis) {
      const actual: Record<string, Record<string, string>> = {}
      for (const [field, meter] of Object.entries(METER_OF_TOTAL)) {
        for (const row of await usage(api, meter, `&window=${window}${groupBy === '' ? '' : `&groupBy=${groupBy}`}`)) {
          const key = [row.windowStart.slice(0, window === 'month' ? 7 : 13), row.dimensions?.model].filter(Boolean).join(' ')
          actual[key] = { ...actual[key], [field]: row.value }
        }
      }
      const totalsOf = (totals: TraceTotals) =>
        Object.fromEntries(Object.keys(METER_OF_TOTAL).map((field) => [field, String(totals[field as keyof TraceTotals])]))
      expect(actual).toEqual(Object.fromEntries(Object.entries(expected).map(([key, totals]) => [key, totalsOf(totals)])))
    }
  })

  test('invoices of a sample of customers equal the known ones to the cent', async () => {
    const [api1, api2] = apis
    if (!api1 || !api2) throw new Error('the apis run')
    const { P1_tokens_per_model: perModel, P2_graduated_total_tokens: graduated } = realTrace.invoices().invoices
    const all = Object.keys(perModel.per_customer_month)
    const customers = all.filter((_, index) => index % Math.floor(all.length / INVOICED_CUSTOMERS) === 0)
    const subscriptions = await subscribeTraceCustomers(api1, customers)
    for (const customer of customers) {
      const ids = subscriptions.get(customer)
      const one = perModel.per_customer_month[customer]?.['2023-11']
      const two = graduated.per_customer_month[customer]?.['2023-11']
      if (!ids || !one || !two) throw new Error(`no expected invoice for ${customer}`)
      expect((await upcomingInvoice(api2, ids.perModel)).total, customer).toBe(one.sum_of_rounded_lines_half_up)
      expect((await upcomingInvoice(api2, ids.graduated)).total, customer).toBe(two.total.half_up_2dp)
    }
  }, 60_000)

  test('a hard limit is one limit for both apis: held by one, settled by the other, used for both', async () => {
    const [api1, api2] = apis
    const [ingest1] = ingests
    if (!api1 || !api2 || !ingest1) throw new Error('they run')
    const entitlements = [{ feature: 'total_tokens', limit: '100', limitType: 'hard', reset: 'month' }]
    await api1.ok('PUT', '/v1/plans/capped', { product: 'llm', name: 'Capped', currency: 'USD', interval: 'month', entitlements })
    await api1.ok('PUT', '/v1/customers/capped', {})
    await api1.ok('POST', '/v1/subscriptions', { customer: 'capped', plan: 'capped' })
    await ingest1.ok('POST', '/v1/events', {
      id: 'e1',
      type: 'llm.request',
      customer: 'capped',
      data: { input_tokens: 20, output_tokens: 10 },
    })
    const balance = (api: TollgateProcess) => api.ok<{ used: string; held: string }>('GET', '/v1/customers/capped/balances/total_tokens')
    for (const api of apis) await waitFor(async () => (await balance(api)).used === '30', 20_000)

    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? api1 : api2).call('POST', '/v1/reservations', {
          ...{ customer: 'capped', feature: 'total_tokens', quantity: '10', id: `own-${index}` },
        }),
      ),
    )
    const held = outcomes.filter(({ status }) => status === 201).map(({ body }) => (body as { id: string }).id)
    expect(held).toHaveLength(7)
    expect(outcomes.filter(({ status }) => status === 409)).toHaveLength(13)
    for (const id of held) await api2.ok('POST', `/v1/reservations/${id}/settle`, { quantity: '10' })
    for (const api of apis) await waitFor(async () => (await balance(api)).used === '100', 20_000)
    expect((await api1.ok<{ allowed: boolean }>('POST', '/v1/decisions', { customer: 'capped', feature: 'total_tokens' })).allowed).toBe(
      false,
    )
  }, 60_000)

  test('every metric of the dashboard and the alerts is one that the processes have', async () => {
    const running = [...ingests, ...apis, ...aggregators.slice(1)]
    const known = new Set<string>()
    for (const { url } of running) {
      const metrics = await (await fetch(`${url}/metrics`)).text()
      for (const [, name = '', type] of metrics.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
        for (const suffix of type === 'histogram' ? ['_bucket', '_count', '_sum'] : ['']) known.add(`${name}${suffix}`)
      }
    }
    for (const file of ['grafana/tollgate.json', 'prometheus/alerts.yaml']) {
      const text = await readFile(new URL(`../../deploy/${file}`, import.meta.url), 'utf8')
      const named = new Set(text.match(/\b(tollgate|process)_[a-z_]+\b/g))
      expect(named.size).toBeGreaterThan(5)
      expect([...named].filter((name) => !known.has(name))).toEqual([])
    }
  })

  test('every process stops cleanly, and verify finds no difference', async () => {
    for (const each of [...ingests, ...apis, ...aggregators.slice(1)]) expect(await each.stop(), each.output().slice(-2_000)).toBe(0)
    const verify = await runTollgate(['verify'], { ...stack?.env })
    expect(verify, verify.output).toMatchObject({ code: 0 })
    expect(verify.output).toMatch(/no difference/i)
  }, 90_000)
})

const METER_OF_TOTAL = {
  events: 'requests',
  input_tokens: 'input_tokens',
  output_tokens: 'output_tokens',
  total_tokens: 'total_tokens',
  max_event_total_tokens: 'max_tokens',
}

type UsageRow = {
  readonly windowStart: string
  readonly value: string
  readonly events: number
  readonly dimensions?: { readonly model: string }
}

async function usage(api: TollgateProcess, meter: string, query: string): Promise<readonly UsageRow[]> {
  const range = 'from=2023-11-01T00:00:00Z&to=2023-12-01T00:00:00Z'
  return (await api.ok<{ data: UsageRow[] }>('GET', `/v1/meters/${meter}/usage?${range}${query}`)).data
}

async function eventsCounted(api: TollgateProcess): Promise<number> {
  return (await usage(api, 'requests', ''))[0]?.events ?? 0
}

type AggregatorReadiness = { readonly stages: { readonly aggregator: { readonly details: { readonly partitions: readonly unknown[] } } } }

async function partitionsOf(aggregator: TollgateProcess): Promise<number> {
  return (await aggregator.ok<AggregatorReadiness>('GET', '/readyz')).stages.aggregator.details.partitions.length
}

async function upcomingInvoice(api: TollgateProcess, subscription: string) {
  return await api.ok<{ total: string }>('GET', `/v1/subscriptions/${subscription}/upcoming-invoice?at=${INVOICES_AT}`)
}

function importTrace({ url, adminKey }: TollgateProcess) {
  const columns = ['--id', 'id', '--time', 'timestamp', '--customer', 'customer']
  const data = ['--data', 'model,input_tokens:number,output_tokens:number']
  return runTollgate([
    'import',
    realTrace.hostile,
    '--type',
    'llm.request',
    '--backfill',
    ...columns,
    ...data,
    '--url',
    url,
    '--key',
    adminKey,
  ])
}
