import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inLongRun } from '../support/long-run.ts'
import {
  removeDirectory,
  runTollgate,
  startTollgate,
  type TollgateProcess,
  temporaryDirectory,
  waitFor,
} from '../support/servers/tollgate-process.ts'
import { TRACE_CUSTOMERS, TRACE_REQUESTS, type TraceRequest } from '../support/trace/real-trace.ts'
import { createTraceCatalog, subscribeTraceCustomers, TRACE_INVOICES_AT } from '../support/trace/trace-catalog.ts'
import { TRACE_IMPORT_OPTIONS, type TraceDelivery, writeTraceFile } from '../support/trace/trace-delivery.ts'
import { traceInvoices } from '../support/trace/trace-invoices.ts'
import { TRACE_METERS, traceTotals } from '../support/trace/trace-totals.ts'

type UsageAnswer = { data: { windowStart: string; value: string; events: number; customer?: string; dimensions?: { model: string } }[] }
type InvoiceAnswer = { total: string; lines: { kind: string; charge?: string; quantity: string; amount: string; exact: string }[] }

/** Each delivery gets a server of its own; the clean one is imported twice, the hostile one survives a kill -9 on its way. */
describe.each<{ delivery: TraceDelivery; disturb: typeof importTwice }>([
  ...inLongRun([{ delivery: 'clean' as const, disturb: importTwice }], []),
  { delivery: 'hostile', disturb: importThroughKill },
])('the real trace, $delivery delivery', ({ delivery, disturb }) => {
  let tollgate: TollgateProcess
  let dataDir: string

  beforeAll(async () => {
    dataDir = await temporaryDirectory()
    tollgate = await startTollgate({ dataDir })
    await createTraceCatalog(tollgate)
    tollgate = await disturb(tollgate, await writeTraceFile(delivery, dataDir))
    await waitFor(async () => (await usage(tollgate, 'requests', ''))[0]?.events === TRACE_REQUESTS)
  })

  afterAll(async () => {
    await tollgate?.kill()
    await removeDirectory(dataDir)
  })

  test.each([
    { by: 'month', query: '&window=month', keyOf: ({ time }: TraceRequest) => time.slice(0, 7) },
    { by: 'day', query: '&window=day', keyOf: ({ time }: TraceRequest) => time.slice(0, 10) },
    { by: 'hour', query: '&window=hour', keyOf: ({ time }: TraceRequest) => time.slice(0, 13) },
    { by: 'model', query: '&groupBy=model', keyOf: ({ model }: TraceRequest) => model },
    {
      by: 'hour and model',
      query: '&window=hour&groupBy=model',
      keyOf: ({ time, model }: TraceRequest) => `${time.slice(0, 13)} ${model}`,
    },
  ])('usage by $by equals the totals of the trace', async ({ query, keyOf }) => {
    const digits = { month: 7, day: 10, hour: 13 }[/window=(\w+)/.exec(query)?.[1] ?? ''] ?? 0
    const actual: Record<string, Record<string, string>> = {}
    for (const meter of TRACE_METERS) {
      // The meter of models has no dimensions.
      if (meter === 'models' && query.includes('groupBy')) continue
      for (const row of await usage(tollgate, meter, query)) {
        const key = [row.windowStart?.slice(0, digits), row.dimensions?.model].filter(Boolean).join(' ')
        actual[key] = { ...actual[key], [meter]: row.value }
      }
    }
    const wanted = Object.entries(traceTotals(keyOf)).map(([key, { models, ...totals }]) => [
      key,
      query.includes('groupBy') ? totals : { ...totals, models },
    ])
    expect(actual).toEqual(Object.fromEntries(wanted))
  })

  test('usage by customer equals the totals of the trace', async () => {
    const rows = await usage(tollgate, 'total_tokens', '&groupBy=customer')
    const wanted = traceTotals(({ customer }) => customer)
    expect(rows).toHaveLength(TRACE_CUSTOMERS)
    expect(Object.fromEntries(rows.map(({ customer, value }) => [customer, value]))).toEqual(
      Object.fromEntries(Object.entries(wanted).map(([customer, { total_tokens }]) => [customer, total_tokens])),
    )
  })

  test('the invoices of all customers under both plans are what their requests cost, line by line', async () => {
    const invoices = traceInvoices()
    const subscriptions = await subscribeTraceCustomers(tollgate, [...invoices.keys()])
    for (const [customer, { perModel, graduated }] of invoices) {
      const ids = subscriptions.get(customer)
      expect(await upcomingInvoice(tollgate, ids?.perModel), customer).toEqual({ lines: perModel.lines, total: perModel.total })
      expect(await upcomingInvoice(tollgate, ids?.graduated), customer).toEqual({ lines: graduated.lines, total: graduated.total })
    }
  })

  test('a billing run makes the month final: what the documents ask of the customers is what their requests cost', async () => {
    const { id } = await tollgate.ok<{ id: string }>('POST', '/v1/billing-runs', { asOf: '2023-12-01T01:00:00Z' })
    await waitFor(async () => (await tollgate.ok<{ status: string }>('GET', `/v1/billing-runs/${id}`)).status === 'finished')
    const month = await tollgate.ok<{ data: { customer: string; total: string; number: string }[] }>(
      'GET',
      '/v1/invoices?from=2023-12-01T00:00:00Z&to=2023-12-01T00:00:01Z&limit=1000',
    )
    const wanted = [...traceInvoices()].map(([customer, { perModel, graduated }]) => [customer, [perModel.total, graduated.total].sort()])
    const totals = Map.groupBy(month.data, ({ customer }) => customer)
    expect(Object.fromEntries([...totals].map(([customer, all]) => [customer, all.map(({ total }) => total).sort()]))).toEqual(
      Object.fromEntries(wanted),
    )
  })

  test('verify finds no difference', async () => {
    expect(await tollgate.stop()).toBe(0)
    const verify = await runTollgate(['verify'], { TOLLGATE_DATA_DIR: dataDir })
    expect(verify).toMatchObject({ code: 0 })
    expect(verify.output).toMatch(/no difference/i)
    tollgate = await startTollgate({ dataDir })
    expect((await usage(tollgate, 'requests', ''))[0]?.events).toBe(TRACE_REQUESTS)
  })
})

async function importTwice(tollgate: TollgateProcess, file: string): Promise<TollgateProcess> {
  for (const time of [1, 2]) {
    const result = await importFile(tollgate, file)
    expect(result, `import ${time}: ${result.output}`).toMatchObject({ code: 0 })
  }
  return tollgate
}

/** Kills the server once a good part has been accepted, starts it again and runs the whole import again. */
async function importThroughKill(tollgate: TollgateProcess, file: string): Promise<TollgateProcess> {
  const first = importFile(tollgate, file)
  await waitFor(async () => ((await usage(tollgate, 'requests', ''))[0]?.events ?? 0) > 2_000)
  await tollgate.kill()
  first.child.kill('SIGKILL')
  await first
  const restarted = await startTollgate({ dataDir: tollgate.dataDir })
  const second = await importFile(restarted, file)
  expect(second, second.output).toMatchObject({ code: 0 })
  return restarted
}

function importFile({ url, adminKey }: TollgateProcess, file: string) {
  return runTollgate(['import', file, ...TRACE_IMPORT_OPTIONS, '--url', url, '--key', adminKey])
}

async function usage(tollgate: TollgateProcess, meter: string, query: string) {
  const range = 'from=2023-11-01T00:00:00Z&to=2023-12-01T00:00:00Z'
  return (await tollgate.ok<UsageAnswer>('GET', `/v1/meters/${meter}/usage?${range}${query}`)).data
}

async function upcomingInvoice(tollgate: TollgateProcess, subscription: string | undefined) {
  const path = `/v1/subscriptions/${subscription}/upcoming-invoice?at=${TRACE_INVOICES_AT}`
  const { lines, total } = await tollgate.ok<InvoiceAnswer>('GET', path)
  const charged = lines.filter(({ quantity }) => quantity !== '0')
  return { lines: charged.map(({ charge, quantity, exact, amount }) => ({ charge, quantity, exact, amount })), total }
}
