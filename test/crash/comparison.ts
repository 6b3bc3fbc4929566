import { decimalOf, exactOf, ONE, roundToCents } from '../support/exact-decimal.ts'
import { type BalanceBody, usedBySender } from './balance-watch.ts'
import { Difference } from './difference.ts'
import type { HoldRecords } from './hold-record.ts'
import { priceOf } from './invoice-of-sender.ts'
import type { Ledger, SentEvent, Usage } from './ledger.ts'
import type { RetryingClient } from './retrying-client.ts'
import { CREDITS, DAY_MS, type MeterSpec, type PlanSpec, type World } from './world.ts'

export type Compared = { readonly events: number; readonly windows: number; readonly balances: number; readonly invoices: number }

type Deps = { readonly client: RetryingClient; readonly ledger: Ledger; readonly holds: HoldRecords; readonly world: World }

/** Compares everything that the server kept with everything that the sender knows, to the last digit. Throws the first difference. */
export async function compare(deps: Deps): Promise<Compared> {
  const { ledger, world } = deps
  const missing = ledger.unacknowledged()
  if (missing.length > 0) throw new Difference('acknowledgements', 'all', `${missing.length} events without one`)
  const events = await compareEvents(deps)
  let windows = 0
  for (const meter of world.meters.values()) windows += await compareUsage(deps, meter)
  await compareReservations(deps)
  // Asked at once, as apps and billers do: the server answers some of them together.
  const customers = [...world.subscribers.keys()]
  const balances = await Promise.all(customers.map((customer) => compareBalances(deps, customer)))
  await Promise.all(customers.map((customer) => compareInvoice(deps, customer)))
  return { events, windows, balances: balances.reduce((sum, of) => sum + of, 0), invoices: customers.length }
}

type EventBody = { readonly id: string; readonly customer: string; readonly type: string; readonly time: string; readonly data: unknown }
type Page = { readonly data: readonly EventBody[]; readonly nextCursor: string | null }

/** Each event exactly once, as it was first sent, and none that was never sent. */
async function compareEvents({ client, ledger }: Deps): Promise<number> {
  const expected = new Map(ledger.events().map((event) => [textOf(event), event.id]))
  // A settlement of 0 needs no event.
  const reported = new Set([
    ...ledger.settledUsage().flatMap(({ reservation, quantity }) => (quantity > 0n ? [reservation] : [])),
    ...ledger.reservationsSettledByEvents(),
  ])
  const found = new Set<string>()
  let cursor: string | null = ''
  while (cursor !== null) {
    const page: Page = await client.expect('GET', `/v1/events?limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`, undefined, [200])
    for (const { id, customer, type, time, data } of page.data) {
      const isOfReservation = type === 'tollgate.usage' || type === 'tollgate.settlement'
      const reservation = isOfReservation ? (data as { reservation: string }).reservation : null
      const text =
        reservation === null ? textOf({ id, customer, type, timeMs: Date.parse(time), data: data as SentEvent['data'] }) : reservation
      if (found.has(text)) throw new Difference('events', `${id} of ${customer} once`, 'twice')
      if (!(reservation === null ? expected.has(text) : reported.has(text)))
        throw new Difference('events', 'nothing that was not sent', text)
      found.add(text)
    }
    cursor = page.nextCursor
  }
  const lost = [...expected.keys(), ...reported].filter((text) => !found.has(text))
  if (lost.length > 0)
    throw new Difference(
      'events',
      `all ${expected.size + reported.size} that were acknowledged`,
      `${lost.length} are missing, among them ${lost[0]}`,
    )
  return found.size
}

function textOf({ id, customer, type, timeMs, data }: SentEvent): string {
  return JSON.stringify([customer, id, type, timeMs, Object.entries(data).sort()])
}

type UsageBody = {
  readonly data: readonly {
    readonly windowStart: string
    readonly value: string | null
    readonly events: number
    readonly customer?: string
    readonly dimensions?: Readonly<Record<string, string>>
  }[]
}

/** Per customer, minute and dimension; and once over a time that begins and ends within minutes. */
async function compareUsage({ client, ledger }: Deps, meter: MeterSpec): Promise<number> {
  const nowMs = Date.now()
  const groupBy = ['customer', ...meter.dimensions]
  const ask = async (fromMs: number, toMs: number, sliceMs?: number) => {
    const range = `from=${new Date(fromMs).toISOString()}&to=${new Date(toMs).toISOString()}&groupBy=${groupBy.join(',')}`
    const path = `/v1/meters/${meter.key}/usage?${range}${sliceMs === undefined ? '' : '&window=minute'}`
    const { data } = await client.expect<UsageBody>('GET', path, undefined, [200])
    const found = data.map(({ windowStart, value, events, customer, dimensions = {} }): [string, Usage] => [
      JSON.stringify([
        sliceMs === undefined ? '' : Date.parse(windowStart),
        ...groupBy.map((name) => (name === 'customer' ? customer : (dimensions[name] ?? ''))),
      ]),
      { events, value: value === null ? null : exactOf(value) },
    ])
    const wanted = { fromMs, toMs, groupBy, ...(sliceMs === undefined ? {} : { sliceMs }) }
    compareGroups(`usage of ${meter.key}`, ledger.usage(meter, wanted), new Map(found))
    return data.length
  }
  await ask(nowMs - 3 * DAY_MS - 17_003, nowMs - 7 * 60_000 - 31_007)
  return await ask(nowMs - 36 * DAY_MS, nowMs + DAY_MS, 60_000)
}

function compareGroups(where: string, expected: ReadonlyMap<string, Usage>, found: ReadonlyMap<string, Usage>): void {
  for (const group of new Set([...expected.keys(), ...found.keys()])) {
    const [ours, theirs] = [usageText(expected.get(group)), usageText(found.get(group))]
    if (ours !== theirs) throw new Difference(`${where} in ${group}`, ours, theirs)
  }
}

function usageText(usage: Usage | undefined): string {
  if (usage === undefined) return 'nothing'
  return `${usage.value === null ? 'no value' : decimalOf(usage.value)} of ${usage.events} events`
}

/** Every answer about a reservation still holds. */
async function compareReservations({ client, holds }: Deps): Promise<void> {
  for (const { id, state, quantity, settled, expiresAtMs } of holds.all()) {
    if (state === 'refused') continue
    const found = await client.expect<Record<string, string>>('GET', `/v1/reservations/${id}`, undefined, [200])
    const wanted: string[] =
      state === 'settled' ? ['settled'] : state === 'released' ? ['released'] : expiresAtMs > Date.now() ? ['held'] : ['expired', 'held']
    const isSame = wanted.includes(String(found.status)) && found.quantity === decimalOf(quantity)
    const isSettledSame = state !== 'settled' || found.settled === decimalOf(settled)
    if (!isSame || !isSettledSame)
      throw new Difference(`reservation ${id}`, { status: wanted, quantity: decimalOf(quantity), settled: decimalOf(settled) }, found)
  }
}

async function compareBalances(deps: Deps, customer: string): Promise<number> {
  const { client, holds, world } = deps
  const askedMs = Date.now()
  const { data } = await client.expect<{ data: readonly BalanceBody[] }>(
    'GET',
    `/v1/customers/${encodeURIComponent(customer)}/balances`,
    undefined,
    [200],
  )
  const entitlements = planOf(world, customer).entitlements
  if (data.length !== entitlements.length) throw new Difference(`balances of ${customer}`, `${entitlements.length} features`, data)
  for (const balance of data) {
    const { feature, used, held } = balance
    const limit = entitlements.find((entitlement) => entitlement.feature === feature)?.limit ?? null
    const where = `balance of ${customer} on ${feature}`
    const expected = usedBySender(deps, customer, feature, balance.period)
    if (used !== decimalOf(expected)) throw new Difference(`${where}: used`, decimalOf(expected), used)
    const [least, most] = feature === CREDITS ? heldRange(holds, customer, askedMs) : [0n, 0n]
    if (exactOf(held) < least || exactOf(held) > most)
      throw new Difference(`${where}: held`, `${decimalOf(least)} to ${decimalOf(most)}`, held)
    const left = limit === null ? null : exactOf(limit) - expected - exactOf(held)
    const remaining = left === null ? null : decimalOf(left > 0n ? left : 0n)
    const over = limit === null ? 0n : expected - exactOf(limit)
    const overage = decimalOf(over > 0n ? over : 0n)
    if (balance.limit !== limit || balance.remaining !== remaining || balance.overage !== overage) {
      throw new Difference(where, { limit, remaining, overage }, balance)
    }
  }
  return data.length
}

/** One value, unless a reservation expires right now. */
function heldRange(holds: HoldRecords, customer: string, askedMs: number): [bigint, bigint] {
  const heldAt = (instantMs: number) =>
    holds
      .of(customer)
      .reduce((sum, { state, quantity, expiresAtMs }) => (state === 'held' && expiresAtMs > instantMs ? sum + quantity : sum), 0n)
  return [heldAt(Date.now()), heldAt(askedMs)]
}

type InvoiceBody = {
  readonly period: { readonly start: string; readonly end: string }
  readonly lines: readonly {
    readonly kind: string
    readonly charge?: string
    readonly quantity: string
    readonly exact: string
    readonly amount: string
  }[]
  readonly total: string
}

async function compareInvoice(deps: Deps, customer: string): Promise<void> {
  const { client, world } = deps
  const listed = await client.expect<{ data: readonly { id: string }[] }>(
    'GET',
    `/v1/subscriptions?customer=${encodeURIComponent(customer)}`,
    undefined,
    [200],
  )
  const [subscription] = listed.data
  if (subscription === undefined || listed.data.length !== 1) throw new Difference(`subscriptions of ${customer}`, '1', listed.data.length)
  const invoice = await client.expect<InvoiceBody>('GET', `/v1/subscriptions/${subscription.id}/upcoming-invoice`, undefined, [200])
  const plan = planOf(world, customer)
  const lines = [
    { name: 'base', quantity: ONE, exact: exactOf(plan.baseFee) },
    ...plan.charges.map(({ key, feature, price }) => {
      const quantity = usedBySender(deps, customer, feature, invoice.period)
      return { name: key, quantity, exact: priceOf(price, quantity) }
    }),
  ].map(({ name, quantity, exact }) => `${name} ${decimalOf(quantity)} = ${decimalOf(exact)} ~ ${decimalOf(roundToCents(exact))}`)
  const found = invoice.lines.map(
    ({ charge = 'base', quantity, exact, amount }) => `${charge} ${quantity} = ${exact} ~ ${decimalOf(exactOf(amount))}`,
  )
  for (const [index, line] of lines.entries())
    if (line !== found[index]) throw new Difference(`invoice of ${customer}`, line, found[index] ?? 'nothing')
  const total = invoice.lines.reduce((sum, { amount }) => sum + exactOf(amount), 0n)
  if (found.length !== lines.length || exactOf(invoice.total) !== total)
    throw new Difference(`invoice of ${customer}`, { lines, total: decimalOf(total) }, invoice)
}

function planOf(world: World, customer: string): PlanSpec {
  const plan = world.plans.get(world.subscribers.get(customer)?.plan ?? '')
  if (plan === undefined) throw new Error(`${customer} has a plan`)
  return plan
}
