import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPGliteDatabase } from '../../adapters/database/engine/pglite-database.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { type BillingServer, startBillingServer } from '../support/billing/billing-server.ts'
import { instant } from '../support/billing/billing-vectors.ts'
import { decimalOf, exactOf } from '../support/exact-decimal.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { runTollgate } from '../support/servers/tollgate-process.ts'
import { readRealTrace, TRACE_CUSTOMERS, type TraceRequest } from '../support/trace/real-trace.ts'
import { createTraceCatalog, subscribeTraceCustomers } from '../support/trace/trace-catalog.ts'
import { type TraceInvoices, traceInvoices } from '../support/trace/trace-invoices.ts'

const LATE_EVENTS = 500
const EVENTS_PER_REQUEST = 2_000

type Line = { readonly kind: string; readonly item: string; readonly amount: string; readonly from: string; readonly plan: string }

/** A month of a real trace, closed as a person closes it: by commands, on a clock that the test sets. */
describe('the month of the real trace', () => {
  let server: BillingServer
  let customers: readonly string[]
  const late = lateRequests()
  const tollgate = (...args: string[]) => runTollgate(['bill', ...args, '--url', server.url, '--key', server.key])
  const lines = async () => {
    const { data } = await server.ok<{ data: { customer: string; lines: Line[] }[] }>('GET', '/v1/invoices?limit=1000')
    return data.flatMap((document) => document.lines.map((line) => ({ ...line, customer: document.customer })))
  }

  beforeAll(async () => {
    server = await startBillingServer(instant('2023-11-20T00:00:00Z'))
    await createTraceCatalog(server)
    await send(server, readRealTrace())
    customers = [...traceInvoices().keys()]
    await subscribeTraceCustomers(server, customers)
  })
  afterAll(() => server?.stop())

  test('before the grace is over the month is open, and says for how long', async () => {
    server.set(instant('2023-12-01T00:30:00Z'))
    const { code, output } = await tollgate('close', '2023-11')
    expect(code).toBe(1)
    expect(output).toContain(`2023-11 is not closed: ${2 * TRACE_CUSTOMERS} subscriptions have a document to come.`)
    expect(output).toContain('can be final at 2023-12-01T01:00:00.000Z')
  })

  test('a preview shows the document that the run will make, line by line', async () => {
    const { data } = await server.ok<{ data: { id: string; plan: string }[] }>('GET', `/v1/subscriptions?customer=${customers[0]}`)
    const id = data.find(({ plan }) => plan === 'graduated_total_tokens')?.id ?? ''
    const { code, output } = await tollgate('preview', id)
    expect(code, output).toBe(0)
    const [line] = traceInvoices().get(customers[0] ?? '')?.graduated.lines ?? []
    expect(output).toContain(`usage total 2023-11-01 to 2023-12-01 ${line?.quantity} ${line?.amount}`)
  })

  test('closed, it asks of each customer what the requests cost on both plans', async () => {
    server.set(instant('2023-12-01T02:00:00Z'))
    const { code, output } = await tollgate('close', '2023-11')
    expect(code, output).toBe(0)
    const documents = 2 * TRACE_CUSTOMERS
    const invoices = traceInvoices()
    const total = [...invoices.values()].reduce((sum, each) => sum + exactOf(each.perModel.total) + exactOf(each.graduated.total), 0n)
    expect(output).toMatch(new RegExp(`${documents} invoices finalised: net ${cents(total)}, tax 0.00, total ${cents(total)}`))
    expect(output).toContain('2023-11 is closed.')
    expect(billedOf(await lines())).toEqual(chargesOf(invoices, customers))
  })

  test('what if a customer had been on the other plan: what was billed stands beside it, to the cent', async () => {
    const file = join(server.dataDir, 'what-if.json')
    await writeFile(file, JSON.stringify({ plan: 'graduated_total_tokens' }))
    const { code, output } = await tollgate(
      'what-if',
      file,
      '--from',
      '2023-11-01T00:00:00Z',
      '--to',
      '2023-12-01T00:00:00Z',
      '--customer',
      'cust_00',
    )
    expect(code, output).toBe(0)
    const own = traceInvoices().get('cust_00')
    const billed = exactOf(own?.perModel.total ?? '') + exactOf(own?.graduated.total ?? '')
    expect(JSON.parse(output.split('\n')[0] ?? '')).toMatchObject({ customer: 'cust_00', billed: cents(billed) })
  })

  test('the same month again makes nothing', async () => {
    const { code, output } = await tollgate('close', '2023-11')
    expect(code, output).toBe(0)
    expect(output).toContain('0 documents made final')
  })

  test(`${LATE_EVENTS} events of the next day are adjustments on the next invoice: together the lines are what all requests cost`, async () => {
    server.set(instant('2023-12-02T00:00:00Z'))
    await send(server, late)
    server.set(instant('2024-01-01T02:00:00Z'))
    const { code, output } = await tollgate('close', '2023-12')
    expect(code, output).toBe(0)
    const all = await lines()
    const adjustments = all.filter(({ kind }) => kind === 'adjustment')
    const sum = adjustments.reduce((total, { amount }) => total + exactOf(amount), 0n)
    expect(output).toContain(`${adjustments.length} adjustments of earlier periods: ${cents(sum)} USD`)
    expect(new Set(adjustments.map(({ customer }) => customer))).toEqual(new Set(late.map(({ customer }) => customer)))
    expect(billedOf(all)).toEqual(chargesOf(traceInvoices([...readRealTrace(), ...late]), customers))
  })

  test.each(['csv', 'ndjson'])('the lines leave as %s with the same sums, also in two halves', async (format) => {
    const whole = await tollgate('export', 'invoice-lines', '--format', format)
    expect(whole.code, whole.output).toBe(0)
    const rows = format === 'csv' ? csvRows(whole.output) : ndjsonRows(whole.output)
    expect(rows.map(({ amount }) => amount).toSorted()).toEqual((await lines()).map(({ amount }) => amount).toSorted())
    const half = rows[rows.length >> 1]
    const rest = await tollgate('export', 'invoice-lines', '--format', format, '--cursor', half?.cursor ?? '')
    expect(rest.output.trimEnd().split('\n')).toHaveLength(rows.length - 1 - (rows.length >> 1))
  })

  test('the ledger leaves with entries that sum to zero', async () => {
    const { output } = await tollgate('export', 'ledger-entries', '--format', 'ndjson', '--to', '2024-02-01T00:00:00Z')
    const entries = ndjsonRows(output)
    expect(entries.length).toBeGreaterThan(2 * TRACE_CUSTOMERS)
    expect(entries.reduce((sum, { amount = '' }) => sum + exactOf(amount), 0n)).toBe(0n)
  })

  test('bill verify counts every line again and finds no difference; then what was edited behind its back is named', async () => {
    const counted = (await lines()).filter(({ kind }) => kind === 'usage' || kind === 'adjustment').length
    await server.close()
    const verify = () => runTollgate(['bill', 'verify'], { TOLLGATE_DATA_DIR: server.dataDir })
    const clean = await verify()
    expect(clean.output).toMatch(new RegExp(`No difference found in \\d+ documents and ${counted.toLocaleString('en')} counted lines`))
    expect(clean.code).toBe(0)
    await edit(server.dataDir)
    const found = await verify()
    expect(found.code).toBe(1)
    for (const rule of [
      'the hash of a document is that of its content',
      'a line counts what its events come to',
      'the lines of a part come to what its quantity costs',
      'net of a document is the sum of its lines',
      'entries of a transaction sum to zero',
      'what is paid of a document is what its payments sum to',
    ]) {
      expect(found.output).toContain(rule)
    }
  })
})

/** Late by a day, of the trace's customers and models. */
function lateRequests(): readonly TraceRequest[] {
  const random = createSeededRandom('late')
  const known = readRealTrace()
  return Array.from({ length: LATE_EVENTS }, (_, n): TraceRequest => {
    const like = known[random.below(known.length)]
    if (like === undefined) throw new Error('the trace is not empty')
    return { ...like, id: `late-${n}`, inputTokens: 1 + random.below(20_000), outputTokens: 1 + random.below(5_000) }
  })
}

async function send({ ok }: BillingServer, requests: readonly TraceRequest[]): Promise<void> {
  for (let from = 0; from < requests.length; from += EVENTS_PER_REQUEST) {
    const events = requests.slice(from, from + EVENTS_PER_REQUEST).map(({ id, time, model, customer, inputTokens, outputTokens }) => {
      const data = { model, input_tokens: inputTokens, output_tokens: outputTokens }
      return { specversion: '1.0', id, source: 'trace', type: 'llm.request', time, subject: customer, data }
    })
    await ok('POST', '/v1/events', events)
  }
}

/** Cents by customer and charge, of all lines together. */
function billedOf(lines: readonly (Line & { readonly customer: string })[]): Readonly<Record<string, string>> {
  const sums = new Map<string, bigint>()
  for (const { customer, item, amount } of lines) sums.set(`${customer} ${item}`, (sums.get(`${customer} ${item}`) ?? 0n) + exactOf(amount))
  return Object.fromEntries([...sums].map(([name, sum]) => [name, cents(sum)] as const).toSorted())
}

function chargesOf(invoices: ReadonlyMap<string, TraceInvoices>, customers: readonly string[]): Readonly<Record<string, string>> {
  const charges = customers.flatMap((customer) => {
    const { perModel, graduated } = invoices.get(customer) ?? { perModel: { lines: [] }, graduated: { lines: [] } }
    return [...perModel.lines, ...graduated.lines].map(({ charge, amount }) => [`${customer} ${charge}`, amount] as const)
  })
  return Object.fromEntries(charges.toSorted())
}

function cents(exact: bigint): string {
  const [whole, fraction = ''] = decimalOf(exact).split('.')
  return `${whole}.${fraction.padEnd(2, '0')}`
}

type Row = { readonly amount?: string; readonly cursor?: string }

function ndjsonRows(text: string): readonly Row[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Row)
}

/** No cell of these has a comma. */
function csvRows(text: string): readonly Row[] {
  const [header = '', ...rows] = text.trimEnd().split('\n')
  const columns = header.split(',')
  return rows.map((row) => Object.fromEntries(row.split(',').map((cell, at) => [columns[at] ?? '', cell])))
}

/** As somebody with the database's password might. */
async function edit(dataDir: string): Promise<void> {
  const log = pino({ level: 'silent' })
  const database = await openPGliteDatabase({
    path: join(dataDir, 'catalog'),
    clock: systemClock,
    log,
    randomBytes: (n) => new Uint8Array(n),
  })
  await database.session.write(async ({ db }) => {
    for (const table of ['invoices', 'ledger_entries']) await sql.raw(`ALTER TABLE ${table} DISABLE TRIGGER USER`).execute(db)
    await sql`UPDATE invoices SET record = jsonb_set(record, '{lines,0,quantity}', '"1"') WHERE id = (SELECT min(id) FROM invoices)`.execute(
      db,
    )
    await sql`UPDATE invoices SET record = jsonb_set(record, '{net}', to_jsonb(((record->>'net')::numeric + 1)::text)), paid = 1 WHERE id = (SELECT max(id) FROM invoices)`.execute(
      db,
    )
    await sql`UPDATE ledger_entries SET amount = amount + 1 WHERE source = (SELECT min(source) FROM ledger_entries) AND position = 0`.execute(
      db,
    )
  })
  await database.stop()
}
