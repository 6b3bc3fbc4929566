import { invariant } from '../../base/invariant.ts'
import type { CutOff } from '../../domain/billing/billed.ts'
import type { BillingBook } from '../../domain/billing/billing-book.ts'
import { accountName, type BillingAccount, type BillingInputs, couponUseName } from '../../domain/billing/billing-inputs.ts'
import type { Coupon, Reduction } from '../../domain/billing/coupon.ts'
import type { CouponDefinition } from '../../domain/billing/coupon-definition.ts'
import type { InvoiceInputs } from '../../domain/billing/invoice-inputs.ts'
import { type Currency, currencyOf, parseMoney, zero } from '../../domain/billing/money.ts'
import type { PlanVersion } from '../../domain/catalog/plan.ts'
import type { Subscription } from '../../domain/catalog/subscription.ts'
import { parseQuantity } from '../../domain/decimal.ts'
import { type CustomerKey, END_OF_TIME_MS, type InstantMs, type SubscriptionId } from '../../domain/identity.ts'
import { isRefusal, type Outcome } from '../../domain/refusal.ts'
import { DAY_MS } from '../../domain/time/durations.ts'
import type { BillingSettings, BillingState } from '../steps/billing-state.ts'
import type { Sibling } from '../steps/own-stretches.ts'
import { planOf } from '../steps/service-parts.ts'

export const NO_ACCOUNT: BillingAccount = { balance: zero(), credits: [], version: 0 }

/** The state of one subscription, out of what was read of its customer. Refuses `unknown_currency`. */
export function billingStateOf(inputs: BillingInputs, id: SubscriptionId, cutOff: CutOff): Outcome<BillingState> {
  const subscription = inputs.subscriptions.get(id)
  const book = inputs.books.get(id)
  invariant(subscription !== undefined && book !== undefined, `subscription ${id} is kept with its cursor`)
  const [first] = subscription.phases
  invariant(first !== undefined, 'a subscription has a phase')
  const { settings, taxRates } = inputs
  const planVersions = versionsOf(inputs.planVersions, subscription, book)
  const currency = currencyOf(planOf({ subscription, planVersions }, first).currency)
  if (isRefusal(currency)) return currency
  const customer = inputs.customers.get(subscription.customer)
  const { balance, credits } = inputs.accounts.get(accountName(subscription.customer, currency.code)) ?? NO_ACCOUNT
  const others = othersOf(inputs, subscription)
  const graceMs = customer?.graceMs ?? settings.graceMs
  const dueMs = (customer?.dueDays ?? settings.dueDays) * DAY_MS
  const own: BillingSettings = { graceMs, dueMs, lateWindowMs: settings.lateWindowDays * DAY_MS, issueZero: settings.issueZero }
  return {
    ...book,
    ...{ subscription, planVersions, currency, cutOff, settings: own },
    siblings: siblingsOf(subscription, inputs),
    taxes: { rates: taxRates, defaults: customer?.taxRates ?? settings.taxRates, isExempt: customer?.taxExempt ?? false },
    purse: { balance, credits, coupons: (subscription.coupons ?? []).flatMap((key) => couponOf(inputs, id, currency, key)) },
    othersBilledToMs: billedTo(inputs, others, currency),
    drafts: inputs.drafts.get(id) ?? [],
  }
}

/** Those that its phases name, and those that it was billed on: a change may have replaced a phase that began at the very same instant. */
function versionsOf(
  planVersions: readonly PlanVersion[],
  { phases }: Subscription,
  { baseFees, parts }: BillingBook,
): readonly PlanVersion[] {
  const named = [...phases, ...baseFees, ...parts]
  return planVersions.filter(({ plan, version }) => named.some((each) => each.plan === plan && each.planVersion === version))
}

/** Where the usage of all of these is billed that are in the currency: one that ended and is closed holds nothing up. */
export function billedTo(
  inputs: Pick<BillingInputs, 'books' | 'planVersions'>,
  others: readonly Subscription[],
  currency: Currency,
): InstantMs {
  const instants = others.flatMap((subscription) => {
    const [first] = subscription.phases
    const book = inputs.books.get(subscription.id)
    if (
      first === undefined ||
      book === undefined ||
      planOf({ subscription, planVersions: inputs.planVersions }, first).currency !== currency.code
    )
      return []
    const { usageBilledToMs } = book.cursor
    return subscription.endMs !== null && usageBilledToMs >= subscription.endMs ? [] : [usageBilledToMs]
  })
  return Math.min(END_OF_TIME_MS, ...instants) as InstantMs
}

export function siblingsOf(subscription: Subscription, inputs: Pick<InvoiceInputs, 'subscriptions' | 'planVersions'>): readonly Sibling[] {
  return othersOf(inputs, subscription).map((each) => siblingOf(each, inputs.planVersions))
}

/** The customer's other subscriptions. */
export function othersOf(
  { subscriptions }: Pick<InvoiceInputs, 'subscriptions'>,
  { id, customer }: Pick<Subscription, 'id' | 'customer'>,
): readonly Subscription[] {
  const byCustomer = BY_CUSTOMER.get(subscriptions) ?? Map.groupBy(subscriptions.values(), (each) => each.customer)
  BY_CUSTOMER.set(subscriptions, byCustomer)
  return (byCustomer.get(customer) ?? []).filter((each) => each.id !== id)
}

/** Grouped once for a page, as looking through all of it for each of its subscriptions took a tenth of a run. Lives as long as what was read. */
const BY_CUSTOMER = new WeakMap<InvoiceInputs['subscriptions'], ReadonlyMap<CustomerKey, readonly Subscription[]>>()

function siblingOf(subscription: Subscription, planVersions: readonly PlanVersion[]): Sibling {
  const { id, startMs, endMs, phases } = subscription
  const charging = phases.flatMap((phase) => {
    const lastMs = Math.min(phase.endMs ?? END_OF_TIME_MS, endMs ?? END_OF_TIME_MS) as InstantMs
    const period = { startMs: phase.startMs, endMs: lastMs }
    const features = new Set(planOf({ subscription, planVersions }, phase).charges.map(({ feature }) => feature))
    return period.startMs < period.endMs ? [...features].map((feature) => ({ feature, period })) : []
  })
  return { id, startMs, charging }
}

/** A coupon of another currency gives nothing. */
function couponOf(inputs: BillingInputs, id: SubscriptionId, currency: Currency, key: string): readonly Coupon[] {
  const definition = inputs.coupons.get(key)
  const reduction = definition === undefined ? null : reductionOf(definition, currency)
  if (definition === undefined || reduction === null) return []
  const uses = inputs.couponUses.get(couponUseName(id, key)) ?? 0
  const usesLeft = definition.invoices === null ? null : Math.max(0, definition.invoices - uses)
  return [{ id: key, reduction, features: definition.features, usesLeft }]
}

/** What a coupon takes off in a currency; null for an amount of another one. */
export function reductionOf({ off }: CouponDefinition, currency: Currency): Reduction | null {
  if ('percent' in off) {
    const percentNano = parseQuantity(off.percent)
    invariant(percentNano !== null, 'the percent of a coupon is an exact decimal')
    return { kind: 'percent', percentNano }
  }
  if (off.currency !== currency.code) return null
  const amount = parseMoney(currency, off.amount)
  invariant(!isRefusal(amount), 'the amount of a coupon is in its currency')
  return { kind: 'amount', amount }
}
