import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { realTrace, type TraceTotals } from '../support/real-trace.ts'
import { createTraceCatalog, subscribeTraceCustomers } from '../support/real-trace-catalog.ts'
import {
  removeDirectory,
  runTollgate,
  startTollgate,
  type TollgateProcess,
  temporaryDirectory,
  waitFor,
} from '../support/tollgate-process.ts'

const EVENTS = 28_185
const INVOICES_AT = '2023-11-30T12:00:00Z'

type UsageAnswer = { data: { windowStart: string; value: string; events: number; customer?: string; dimensions?: { model: string } }[] }
type InvoiceAnswer = { total: string; lines: { kind: string; charge?: string; quantity: string; amount: string; exact: string }[] }

/** Each delivery gets a server of its own; the clean one is imported twice, the hostile one survives a kill -9 on its way. */
describe.skipIf(!realTrace.isPresent).each([
  { delivery: 'clean' as const, disturb: importTwice },
  { delivery: 'hostile' as const, disturb: importThroughKill },
])('the real trace, $delivery delivery', ({ delivery, disturb }) => {
  let tollgate: TollgateProcess
  let dataDir: string

  beforeAll(async () => {
    dataDir = await temporaryDirectory()
    tollgate = await startTollgate({ dataDir })
    await createTraceCatalog(tollgate)
    tollgate = await disturb(tollgate, realTrace[delivery])
    await waitFor(async () => (await usage(tollgate, 'requests', ''))[0]?.events === EVENTS, 30_000)
  }, 300_000)

  afterAll(async () => {
    await tollgate?.kill()
    await removeDirectory(dataDir)
  })

  test.each([
    { group: 'by_month', window: 'month', groupBy: '' },
    { group: 'by_day', window: 'day', groupBy: '' },
    { group: 'by_hour', window: 'hour', groupBy: '' },
    { group: 'by_model', window: '', groupBy: 'model' },
    { group: 'by_hour_model', window: 'hour', groupBy: 'model' },
  ])('usage $group equals the known totals', async ({ group, window, groupBy }) => {
    const expected = realTrace.usage()[group] ?? {}
    const query = `${window ? `&window=${window}` : ''}${groupBy ? `&groupBy=${groupBy}` : ''}`
    const actual: Record<string, Partial<Record<keyof TraceTotals, string>>> = {}
    for (const [field, meter] of Object.entries(METER_OF_TOTAL)) {
      for (const row of await usage(tollgate, meter, query)) {
        const key = groupKey(row, window)
        actual[key] = { ...actual[key], [field]: field === 'avg_event_total_tokens' ? toSixDigits(row.value) : row.value }
      }
    }
    const wanted = Object.fromEntries(
      Object.entries(expected).map(([key, totals]) => [
        key,
        Object.fromEntries(Object.keys(METER_OF_TOTAL).map((field) => [field, String(totals[field as keyof TraceTotals])])),
      ]),
    )
    expect(actual).toEqual(wanted)
  })

  test('usage by customer equals the known top customers', async () => {
    const expected = (realTrace.usage() as unknown as { top_customers: { customer: string; total_tokens: number }[] }).top_customers
    const rows = await usage(tollgate, 'total_tokens', '&groupBy=customer')
    const byCustomer = new Map(rows.map((row) => [row.customer, row.value]))
    expect(rows).toHaveLength(97)
    expect(expected.map(({ customer }) => byCustomer.get(customer))).toEqual(expected.map(({ total_tokens }) => String(total_tokens)))
  })

  test('the invoices of all customers under both plans equal the known ones, line by line', async () => {
    const { P1_tokens_per_model: perModel, P2_graduated_total_tokens: graduated } = realTrace.invoices().invoices
    const customers = Object.keys(perModel.per_customer_month)
    expect(customers).toHaveLength(97)
    const subscriptions = await subscribeTraceCustomers(tollgate, customers)
    for (const customer of customers) {
      const ids = subscriptions.get(customer)
      const one = perModel.per_customer_month[customer]?.['2023-11']
      const two = graduated.per_customer_month[customer]?.['2023-11']
      if (!ids || !one || !two) throw new Error(`no expected invoice for ${customer}`)

      const perModelInvoice = await upcomingInvoice(tollgate, ids.perModel)
      const lines = perModelInvoice.lines.filter((line) => line.quantity !== '0')
      expect(
        lines.map((line) => ({ charge: line.charge, quantity: line.quantity, exact: line.exact, amount: line.amount })),
        customer,
      ).toEqual(
        one.lines.map((line) => ({
          charge: `${line.model}_${line.kind}`,
          quantity: String(line.quantity),
          exact: line.amount.exact,
          amount: line.amount.half_up_2dp,
        })),
      )
      expect(perModelInvoice.total, customer).toBe(one.sum_of_rounded_lines_half_up)

      const graduatedInvoice = await upcomingInvoice(tollgate, ids.graduated)
      expect(
        graduatedInvoice.lines.map((line) => ({ quantity: line.quantity, exact: line.exact, amount: line.amount })),
        customer,
      ).toEqual([{ quantity: String(two.quantity), exact: two.total.exact, amount: two.total.half_up_2dp }])
      expect(graduatedInvoice.total, customer).toBe(two.total.half_up_2dp)
    }
  }, 240_000)

  test('verify finds no difference', async () => {
    expect(await tollgate.stop()).toBe(0)
    const verify = await runTollgate(['verify'], { TOLLGATE_DATA_DIR: dataDir })
    expect(verify).toMatchObject({ code: 0 })
    expect(verify.output).toMatch(/no difference/i)
    tollgate = await startTollgate({ dataDir })
    expect((await usage(tollgate, 'requests', ''))[0]?.events).toBe(EVENTS)
  }, 120_000)
})

const METER_OF_TOTAL = {
  events: 'requests',
  input_tokens: 'input_tokens',
  output_tokens: 'output_tokens',
  total_tokens: 'total_tokens',
  min_event_total_tokens: 'min_tokens',
  max_event_total_tokens: 'max_tokens',
  avg_event_total_tokens: 'avg_tokens',
}

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
  await waitFor(async () => ((await usage(tollgate, 'requests', ''))[0]?.events ?? 0) > 2_000, 60_000)
  await tollgate.kill()
  first.child.kill('SIGKILL')
  await first
  const restarted = await startTollgate({ dataDir: tollgate.dataDir })
  const second = await importFile(restarted, file)
  expect(second, second.output).toMatchObject({ code: 0 })
  return restarted
}

function importFile(tollgate: TollgateProcess, file: string) {
  const columns = ['--id', 'id', '--time', 'timestamp', '--customer', 'customer']
  const data = ['--data', 'model,input_tokens:number,output_tokens:number']
  const server = ['--url', tollgate.url, '--key', tollgate.adminKey]
  return runTollgate(['import', file, '--type', 'llm.request', '--backfill', ...columns, ...data, ...server])
}

async function usage(tollgate: TollgateProcess, meter: string, query: string) {
  const range = 'from=2023-11-01T00:00:00Z&to=2023-12-01T00:00:00Z'
  return (await tollgate.ok<UsageAnswer>('GET', `/v1/meters/${meter}/usage?${range}${query}`)).data
}

async function upcomingInvoice(tollgate: TollgateProcess, subscription: string) {
  return await tollgate.ok<InvoiceAnswer>('GET', `/v1/subscriptions/${subscription}/upcoming-invoice?at=${INVOICES_AT}`)
}

function groupKey(row: UsageAnswer['data'][number], window: string): string {
  const digits = { month: 7, day: 10, hour: 13 }[window] ?? 0
  return [row.windowStart?.slice(0, digits), row.dimensions?.model].filter(Boolean).join(' ')
}

/** The known averages have six digits, half up and without trailing zeros; ours have nine. */
function toSixDigits(value: string): string {
  const [whole = '0', fraction = ''] = value.split('.')
  const nano = BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'))
  const micro = (nano + 500n) / 1_000n
  return `${micro / 1_000_000n}.${String(micro % 1_000_000n).padStart(6, '0')}`.replace(/\.?0+$/, '').replace(/\.?0+$/, '')
}
