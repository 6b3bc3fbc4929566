import type { AuditedDocument } from '../../adapters/database/book-audit/book-audit-reader.ts'
import type { BillingInputs } from '../../domain/billing/billing-inputs.ts'
import { type Currency, currencyOf, type Money, moneyText, parseMoney, plus, zero } from '../../domain/billing/money.ts'
import type { Subscription } from '../../domain/catalog/subscription.ts'
import type { InstantMs, Period } from '../../domain/identity.ts'
import { orThrow } from '../../domain/refusal.ts'
import { parseInstantText } from '../../domain/time/instant-text.ts'
import type { InvoiceJson } from '../documents/invoice-json.ts'
import { baseCost, feeParts } from '../steps/base-fees.ts'
import type { Life } from '../steps/billing-state.ts'
import { type BookDifference, differing } from './book-difference.ts'

type Line = InvoiceJson['lines'][number]

/**
 * The base fees of each subscription tile the time that is closed: what was asked for and not given back of a plan version is what
 * its served time costs, and no instant is paid twice. Time that is not closed may have changed since it was billed.
 */
export function checkFees(
  { subscriptions, planVersions, books }: Pick<BillingInputs, 'subscriptions' | 'planVersions' | 'books'>,
  documents: readonly AuditedDocument[],
): readonly BookDifference[] {
  return [...Map.groupBy(documents, ({ subscription }) => subscription)].flatMap(([id, all]) => {
    const subscription = id === null ? undefined : subscriptions.get(id)
    const book = id === null ? undefined : books.get(id)
    const [first] = all
    // A void may have left its time unbilled or have had it billed anew, and the lines alone do not tell which.
    if (subscription === undefined || book === undefined || first === undefined || all.some(({ status }) => status === 'void')) return []
    const closedToMs = book.cursor.usageBilledToMs
    const fees = all.flatMap(feesOf)
    const currency = orThrow(currencyOf(first.currency))
    const life = { subscription, planVersions }
    return [...checkAmounts(life, currency, closedToMs, fees), ...checkOverlaps(subscription, fees)]
  })
}

type Fee = Pick<Line, 'kind' | 'amount'> & { readonly version: string; readonly period: Period }

function feesOf({ record }: AuditedDocument): readonly Fee[] {
  // What was written as a record is read as one. A note that was asked for gives back without changing what was served.
  const { invoice, lines } = record as unknown as InvoiceJson
  const own = invoice === undefined ? lines.filter(({ kind }) => kind === 'base' || kind === 'unused') : []
  return own.map(({ kind, amount, plan, planVersion, from, to }) => {
    return { kind, amount, version: `${plan} version ${planVersion}`, period: { startMs: msOf(from), endMs: msOf(to) } }
  })
}

/** Cells that overlap, as a reset anchor makes them, are added up together. `servedToMs` is the end of the last part that was served. */
type Span = { readonly version: string; period: Period; servedToMs: InstantMs; expected: Money; found: Money }

function checkAmounts(life: Life, currency: Currency, closedToMs: InstantMs, fees: readonly Fee[]): readonly BookDifference[] {
  const spans: Span[] = []
  const spanAt = (version: string, { startMs, endMs }: Period): Span => {
    const known = spans.findLast((span) => span.version === version && span.period.startMs <= startMs && startMs < span.period.endMs)
    const span = known ?? { version, period: { startMs, endMs }, servedToMs: startMs, expected: zero(), found: zero() }
    if (known === undefined) spans.push(span)
    span.period = { startMs: span.period.startMs, endMs: Math.max(span.period.endMs, endMs) as InstantMs }
    return span
  }
  const lastMs = fees.reduce<number>((last, { period }) => Math.max(last, period.endMs), closedToMs) as InstantMs
  for (const part of feeParts(life, { startMs: life.subscription.startMs, endMs: lastMs })) {
    const { plan, cell, period } = part
    if (plan.baseFee === null) continue
    const span = spanAt(`${plan.plan} version ${plan.version}`, cell)
    span.expected = plus(span.expected, baseCost(life, currency, part))
    span.servedToMs = Math.max(span.servedToMs, period.endMs) as InstantMs
  }
  for (const { version, period, amount } of fees) {
    const span = spanAt(version, period)
    span.found = plus(span.found, orThrow(parseMoney(currency, amount)))
  }
  const closed = spans.filter(({ period, servedToMs }) => period.startMs < closedToMs && servedToMs <= closedToMs)
  return closed.flatMap(({ version, period, expected, found }) =>
    differing(
      'base fees come to what the served time costs',
      `${life.subscription.id} ${version} from ${new Date(period.startMs).toISOString()}`,
      moneyText(currency, expected),
      moneyText(currency, found),
    ),
  )
}

/** At each instant a plan version was asked for at most once more than it was given back. */
function checkOverlaps({ id }: Pick<Subscription, 'id'>, fees: readonly Fee[]): readonly BookDifference[] {
  return [...Map.groupBy(fees, ({ version }) => version)].flatMap(([version, own]) => {
    const changes = own.flatMap(({ kind, period }) => {
      const by = kind === 'base' ? 1 : -1
      return [
        { atMs: period.startMs, by },
        { atMs: period.endMs, by: -by },
      ]
    })
    const byInstant = [...Map.groupBy(changes, ({ atMs }) => atMs)].sort(([a], [b]) => a - b)
    let times = 0
    for (const [atMs, all] of byInstant) {
      times = all.reduce((sum, { by }) => sum + by, times)
      const where = `${id} ${version} at ${new Date(atMs).toISOString()}`
      if (times > 1) return differing('no instant has a base fee twice', where, '1', String(times))
    }
    return []
  })
}

function msOf(instant: string): InstantMs {
  return (parseInstantText(instant) ?? 0) as InstantMs
}
