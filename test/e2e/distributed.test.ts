import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDistributedStack } from '../support/servers/distributed-stack.ts'
import { removeDirectory, runTollgate, type TollgateProcess, temporaryDirectory, waitFor } from '../support/servers/tollgate-process.ts'
import { TRACE_REQUESTS, type TraceRequest } from '../support/trace/real-trace.ts'
import { createTraceCatalog, subscribeTraceCustomers, TRACE_INVOICES_AT } from '../support/trace/trace-catalog.ts'
import { TRACE_IMPORT_OPTIONS, writeTraceFile } from '../support/trace/trace-delivery.ts'
import { traceInvoices } from '../support/trace/trace-invoices.ts'
import { traceTotals } from '../support/trace/trace-totals.ts'

const METERS = ['requests', 'input_tokens', 'output_tokens', 'total_tokens', 'max_tokens'] as const
const INVOICED_CUSTOMERS = 12

const { stack, missing } = await openDistributedStack()

/**
 * Two processes of each role. Both gateways are sent the whole hostile delivery at once, so that every event comes at least
 * twice, and one of the aggregators is killed on the way and not replaced.
 */
describe.skipIf(stack === null)(`roles apart, twice each${missing === null ? '' : ` (not run: ${missing})`}`, () => {
  let ingests: readonly TollgateProcess[] = []
  let aggregators: readonly TollgateProcess[] = []
  let apis: readonly TollgateProcess[] = []
  let traceDir: string

  beforeAll(async () => {
    if (stack === null) return
    // In any order: each waits for what it needs.
    const [api1, ingest1] = await Promise.all([stack.start('api'), stack.start('ingest')])
    const [aggregator1, api2] = await Promise.all([stack.start('aggregator'), stack.start('api')])
    const [ingest2, aggregator2] = await Promise.all([stack.start('ingest'), stack.start('aggregator')])
    ingests = [ingest1, ingest2]
    aggregators = [aggregator1, aggregator2]
    apis = [api1, api2]
    await createTraceCatalog(api1)
    traceDir = await temporaryDirectory()
    const file = await writeTraceFile('hostile', traceDir)
    const imports = ingests.map((ingest) => importTrace(ingest, file))
    await waitFor(async () => (await eventsCounted(api1)) > 2_000)
    expect(await partitionsOf(aggregator1)).toBeGreaterThan(0)
    await aggregator1.kill()
    for (const result of await Promise.all(imports)) expect(result, result.output).toMatchObject({ code: 0 })
    await waitFor(async () => (await eventsCounted(api2)) >= TRACE_REQUESTS)
  })

  afterAll(() => Promise.all([stack?.discard(), removeDirectory(traceDir)]))

  test.each([
    { by: 'month', query: '&window=month', keyOf: ({ time }: TraceRequest) => time.slice(0, 7) },
    {
      by: 'hour and model',
      query: '&window=hour&groupBy=model',
      keyOf: ({ time, model }: TraceRequest) => `${time.slice(0, 13)} ${model}`,
    },
  ])('usage by $by equals the totals of the trace, whichever api is asked', async ({ by, query, keyOf }) => {
    const wanted = Object.entries(traceTotals(keyOf)).map(([key, totals]) => [
      key,
      Object.fromEntries(METERS.map((meter) => [meter, totals[meter]])),
    ])
    for (const api of apis) {
      const actual: Record<string, Record<string, string>> = {}
      for (const meter of METERS) {
        for (const row of await usage(api, meter, query)) {
          const key = [row.windowStart.slice(0, by === 'month' ? 7 : 13), row.dimensions?.model].filter(Boolean).join(' ')
          actual[key] = { ...actual[key], [meter]: row.value }
        }
      }
      expect(actual).toEqual(Object.fromEntries(wanted))
    }
  })

  test('invoices of a sample of customers equal the known ones to the cent', async () => {
    const [api1, api2] = apis
    if (!api1 || !api2) throw new Error('the apis run')
    const invoices = [...traceInvoices()]
    const sample = invoices.filter((_, index) => index % Math.floor(invoices.length / INVOICED_CUSTOMERS) === 0)
    const subscriptions = await subscribeTraceCustomers(
      api1,
      sample.map(([customer]) => customer),
    )
    for (const [customer, { perModel, graduated }] of sample) {
      const ids = subscriptions.get(customer)
      expect((await upcomingInvoice(api2, ids?.perModel)).total, customer).toBe(perModel.total)
      expect((await upcomingInvoice(api2, ids?.graduated)).total, customer).toBe(graduated.total)
    }
  })

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
    for (const api of apis) await waitFor(async () => (await balance(api)).used === '30')

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
    for (const api of apis) await waitFor(async () => (await balance(api)).used === '100')
    expect((await api1.ok<{ allowed: boolean }>('POST', '/v1/decisions', { customer: 'capped', feature: 'total_tokens' })).allowed).toBe(
      false,
    )
  })

  test('a key that has ended, or whose secret was replaced, is refused by every process that knew it', async () => {
    const [api1, api2] = apis
    if (!api1 || !api2) throw new Error('they run')
    const make = () => api1.ok<{ id: string; key: string }>('POST', '/v1/keys', { name: 'gateway', scopes: ['ingest', 'read'] })
    const [ended, rotated] = await Promise.all([make(), make()])
    const statusesOf = (key: string) => {
      const headers = { authorization: `Bearer ${key}` }
      const asked = [
        ...ingests.map((ingest) => ingest.call('POST', '/v1/events', [], headers)),
        ...apis.map((api) => api.call('GET', '/v1/meters', undefined, headers)),
      ]
      return Promise.all(asked.map(async (answer) => (await answer).status))
    }
    for (const { key } of [ended, rotated]) expect(await statusesOf(key)).toEqual([202, 202, 200, 200])
    await api1.ok('DELETE', `/v1/keys/${ended.id}`)
    const { key: replacement } = await api2.ok<{ key: string }>('POST', `/v1/keys/${rotated.id}/rotate`, {})
    for (const { key } of [ended, rotated]) await waitFor(async () => (await statusesOf(key)).every((status) => status === 401))
    expect(await statusesOf(replacement)).toEqual([202, 202, 200, 200])
  })

  test('every metric of the dashboard and the alerts is one that the processes have', async () => {
    const running = [...ingests, ...apis, ...aggregators.slice(1)]
    const known = new Set<string>()
    for (const each of running) {
      const metrics = (await each.call('GET', '/metrics')).text
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
  })
})

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

async function upcomingInvoice(api: TollgateProcess, subscription: string | undefined) {
  return await api.ok<{ total: string }>('GET', `/v1/subscriptions/${subscription}/upcoming-invoice?at=${TRACE_INVOICES_AT}`)
}

function importTrace({ url, adminKey }: TollgateProcess, file: string) {
  return runTollgate(['import', file, ...TRACE_IMPORT_OPTIONS, '--url', url, '--key', adminKey])
}
