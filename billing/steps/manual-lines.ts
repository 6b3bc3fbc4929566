import type { ManualLine, SubscriptionDraft } from '../../domain/billing/invoice-draft.ts'
import { type Currency, roundMoney } from '../../domain/billing/money.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { rate } from '../../rating/rate.ts'
import { type Taxes, taxRatesOf } from './apply-taxes.ts'
import type { BillingState } from './billing-state.ts'
import type { Draft } from './draft.ts'
import type { Closing } from './due.ts'
import type { PricedLine } from './settle.ts'

/** A line by hand: quantity x unitAmount, rounded once. Coupons and credits are for usage and subscriptions, and do not lower it. */
export function manualLine<C extends string>(
  currency: Currency<C>,
  taxes: Taxes,
  { description, quantityNano, unitAmount, taxRates }: ManualLine,
  atMs: InstantMs,
  kind: 'manual' | 'topUp' = 'manual',
): PricedLine<C> {
  const { exact } = rate({ model: 'flat', unitAmount }, quantityNano)
  const amount = roundMoney(currency, exact)
  return {
    ...{ kind, amount, exact, item: description, quantityNano, feature: null, plan: null, planVersion: null, tiers: null },
    ...{ period: { startMs: atMs, endMs: atMs }, taxRates: taxRatesOf(taxes, taxRates), adjusts: null, billedBy: [] },
    ...{ before: null, costs: [{ atMs, amount }], isShown: true },
  }
}

/** The lines that people added to the draft of this document. */
export function linesByHand<C extends string>(state: BillingState<C>, closing: Closing): readonly Draft<C>[] {
  const lines = draftOf(state, closing)?.lines ?? []
  return lines.map((line) => ({ line: manualLine(state.currency, state.taxes, line, closing.closesAtMs), of: { kind: 'manual' } }))
}

/** Whether somebody holds this document back. */
export function isPaused<C extends string>(state: BillingState<C>, closing: Closing): boolean {
  return draftOf(state, closing)?.isPaused ?? false
}

function draftOf<C extends string>({ drafts = [] }: BillingState<C>, { closesAtMs, kind }: Closing): SubscriptionDraft | undefined {
  return drafts.find((draft) => draft.closesAtMs === closesAtMs && draft.kind === kind)
}
