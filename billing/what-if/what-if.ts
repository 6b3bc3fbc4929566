import type { BillingCursorStore } from '../../adapters/database/billing-cursors/billing-cursor-store.ts'
import type { BillingInputsReader } from '../../adapters/database/billing-inputs/billing-inputs-reader.ts'
import type { InvoiceStore } from '../../adapters/database/invoices/invoice-store.ts'
import type { CutOffs, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { type BillingInputs, partName } from '../../domain/billing/billing-inputs.ts'
import { type Currency, type Money, sum } from '../../domain/billing/money.ts'
import type { PlanVersion } from '../../domain/catalog/plan.ts'
import type { PriceOverrides } from '../../domain/catalog/price.ts'
import type { Subscription } from '../../domain/catalog/subscription.ts'
import type { CustomerKey, Offset, Partition, Period, PlanKey, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import { partitionOf } from '../../domain/metering/partitioning.ts'
import { orThrow } from '../../domain/refusal.ts'
import type { UsageReader } from '../../usage/usage-reader.ts'
import { stateOfPeriod } from '../invoices/upcoming-lines.ts'
import { questionsOf } from '../invoices/usage-questions.ts'
import { type AskedOf, readPageUsage } from '../runs/page-usage.ts'
import { baseCost } from '../steps/base-fees.ts'
import type { BillingState } from '../steps/billing-state.ts'
import { headOf } from '../steps/draft.ts'
import type { CountedPart } from '../steps/plan-parts.ts'
import { pricePart } from '../steps/price-parts.ts'
import { serviceParts } from '../steps/service-parts.ts'
import type { PricedLine } from '../steps/settle.ts'

export type WhatIfDeps = {
  readonly inputs: BillingInputsReader
  readonly cursors: Pick<BillingCursorStore, 'customers'>
  readonly invoices: Pick<InvoiceStore, 'countedTo'>
  readonly usageReader: Pick<UsageReader, 'period' | 'periods'>
  readonly usageStore: Pick<UsageStore, 'positions'>
  readonly partitions: number
}

/** Another plan, or other prices of the charges of the plans that there are. */
export type Otherwise = { readonly plan: PlanVersion } | { readonly prices: PriceOverrides }

export type WhatIf = {
  readonly tenant: TenantKey
  readonly otherwise: Otherwise
  /** All customers with a subscription when absent. */
  readonly customers?: readonly CustomerKey[]
  /** These alone, of the customers. */
  readonly subscriptions?: ReadonlySet<SubscriptionId>
  /** Periods that begin in here. */
  readonly span: Period
  /** As of where final lines counted them, or as of now. */
  readonly usage: 'asBilled' | 'now'
}

/** What a customer's periods cost, and what they would; in one currency. `lines` add up to both. */
export type Compared = {
  readonly customer: CustomerKey
  readonly currency: Currency
  readonly billed: Money
  readonly wouldBe: Money
  readonly lines: readonly ComparedLine[]
}

/** A fee, a charge or a true-up of a part of a period, on one of the two sides. */
export type ComparedLine = Pick<PricedLine, 'kind' | 'item' | 'feature' | 'quantityNano' | 'amount' | 'period'> & {
  readonly side: 'billed' | 'wouldBe'
  readonly subscription: SubscriptionId
  readonly plan: PlanKey
  readonly planVersion: number
}

const CUSTOMERS_PER_PAGE = 500

/**
 * Past periods under another plan or other prices, by the batch reads and the pricing of a run: base fees, charges and true-ups of each
 * period that begins in the span, before coupons, credits and taxes. A subscription in another currency than the plan's is left out.
 */
export async function* whatIf(deps: WhatIfDeps, asked: WhatIf): AsyncIterable<Compared> {
  const positions = await deps.usageStore.positions()
  for await (const customers of pagesOf(deps, asked)) yield* comparePage(deps, asked, customers, positions)
}

async function* pagesOf({ cursors }: WhatIfDeps, { tenant, customers }: WhatIf): AsyncIterable<readonly CustomerKey[]> {
  if (customers !== undefined) {
    const sorted = [...new Set(customers)].sort()
    for (let at = 0; at < sorted.length; at += CUSTOMERS_PER_PAGE) yield sorted.slice(at, at + CUSTOMERS_PER_PAGE)
    return
  }
  for (let after = ''; ; ) {
    const page = await cursors.customers(tenant, after, CUSTOMERS_PER_PAGE)
    const last = page.at(-1)
    if (last === undefined) return
    yield page
    after = last
  }
}

/** One side of the comparison: a subscription as it is or as it would be, and the parts to price. */
type Side = { readonly state: BillingState; readonly parts: readonly CountedPart[] }
type Pair = { readonly customer: CustomerKey; readonly is: Side; readonly wouldBe: Side }

async function* comparePage(
  deps: WhatIfDeps,
  asked: WhatIf,
  customers: readonly CustomerKey[],
  positions: CutOffs,
): AsyncIterable<Compared> {
  const { tenant, otherwise, usage } = asked
  const inputs = await deps.inputs.read(tenant, customers, 'plan' in otherwise ? [otherwise.plan] : [])
  const pairs = [...inputs.subscriptions.values()].flatMap((subscription) => pairOf(inputs, subscription, asked))
  const countedTo =
    usage === 'now'
      ? new Map<string, Offset>()
      : await deps.invoices.countedTo(
          tenant,
          pairs.map(({ is }) => is.state.subscription.id),
        )
  const linesOf = await costsOf(deps, inputs, pairs, (pair, part) => {
    const partition = partitionOf(tenant, pair.customer, deps.partitions)
    const name = partName(pair.is.state.subscription.id, part.period.startMs)
    return { partition, offset: countedTo.get(name) ?? positions.get(partition) ?? (0 as Offset) }
  })
  const groups = Map.groupBy(pairs, ({ customer, is }) => `${is.state.currency.code} ${customer}`)
  for (const together of [...groups.values()].sort((a, b) => compare(a[0]?.customer, b[0]?.customer))) {
    const [first] = together
    if (first === undefined) continue
    const lines = together.flatMap(({ is, wouldBe }) => {
      const { id: subscription } = is.state.subscription
      const of = (side: ComparedLine['side'], lines: readonly PartLine[]) => lines.map((line) => ({ side, subscription, ...line }))
      return [...of('billed', linesOf(is)), ...of('wouldBe', linesOf(wouldBe))]
    })
    const total = (side: ComparedLine['side']) => sum(lines.filter((line) => line.side === side).map(({ amount }) => amount))
    yield { customer: first.customer, currency: first.is.state.currency, billed: total('billed'), wouldBe: total('wouldBe'), lines }
  }
}

function pairOf(inputs: BillingInputs, subscription: Subscription, { otherwise, subscriptions, span }: WhatIf): readonly Pair[] {
  if (subscriptions !== undefined && !subscriptions.has(subscription.id)) return []
  const is = orThrow(stateOfPeriod(inputs, subscription))
  const other = otherLife(is, otherwise)
  if ('plan' in otherwise && otherwise.plan.currency !== is.currency.code) return []
  // A name of its own, as both sides may ask for charges of one key.
  const wouldBe = { ...is, ...other, subscription: { ...other.subscription, id: `${subscription.id} otherwise` as SubscriptionId } }
  const sides = { is: { state: is, parts: partsIn(is, span) }, wouldBe: { state: wouldBe, parts: partsIn(wouldBe, span) } }
  return sides.is.parts.length === 0 && sides.wouldBe.parts.length === 0 ? [] : [{ customer: subscription.customer, ...sides }]
}

function otherLife(
  { subscription, planVersions }: BillingState,
  otherwise: Otherwise,
): Pick<BillingState, 'subscription' | 'planVersions'> {
  if ('prices' in otherwise) {
    const phases = subscription.phases.map((phase) => ({ ...phase, priceOverrides: { ...phase.priceOverrides, ...otherwise.prices } }))
    return { subscription: { ...subscription, phases }, planVersions }
  }
  const { plan } = otherwise
  const { startMs, endMs } = subscription
  return {
    subscription: { ...subscription, phases: [{ plan: plan.plan, planVersion: plan.version, startMs, endMs }] },
    planVersions: [plan],
  }
}

function partsIn(state: BillingState, span: Period): readonly CountedPart[] {
  return serviceParts(state, span)
    .filter(({ period }) => period.startMs >= span.startMs)
    .map((part) => ({ ...part, before: null, shown: part.period }))
}

type PartLine = Omit<ComparedLine, 'side' | 'subscription'>

/** The lines of each side, once all usage is read: as of each cut-off with one query per meter and shape. */
async function costsOf(
  { usageReader }: WhatIfDeps,
  inputs: BillingInputs,
  pairs: readonly Pair[],
  cutOffOf: (pair: Pair, part: CountedPart) => { readonly partition: Partition; readonly offset: Offset },
): Promise<(side: Side) => readonly PartLine[]> {
  const reads = new Map<
    string,
    { readonly cutOffs: CutOffs; readonly asked: (AskedOf & { readonly side: Side; readonly part: CountedPart })[] }
  >()
  for (const pair of pairs) {
    for (const side of [pair.is, pair.wouldBe]) {
      for (const part of side.parts) {
        const { partition, offset } = cutOffOf(pair, part)
        const name = `${partition} ${offset}`
        const read = reads.get(name) ?? { cutOffs: new Map([[partition, offset]]), asked: [] }
        reads.set(name, read)
        read.asked.push({ side, part, state: side.state, questions: questionsOf(side.state, [part]) })
      }
    }
  }
  const lines = new Map<Side, PartLine[]>()
  for (const { cutOffs, asked } of reads.values()) {
    const usageOf = await readPageUsage(usageReader, inputs, asked, cutOffs)
    for (const { side, part, state } of asked) {
      const priced = pricePart(state, part, part.period.endMs, usageOf(state.subscription.id)).map(({ line }) => line)
      const fee = headOf(part, null, 'base', baseCost(state, state.currency, part))
      const ofPart = { plan: part.plan.plan, planVersion: part.plan.version }
      lines.set(side, [
        ...(lines.get(side) ?? []),
        ...[fee, ...priced].filter(({ isShown }) => isShown).map((line) => ({ ...line, ...ofPart })),
      ])
    }
  }
  return (side) => lines.get(side) ?? []
}

function compare(a = '', b = ''): number {
  return a < b ? -1 : a > b ? 1 : 0
}
