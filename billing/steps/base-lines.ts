import { nothingBilled } from '../../domain/billing/billed.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { taxRatesOf } from './apply-taxes.ts'
import type { BaseFeeChanges, UnusedFee, WantedFee } from './base-fees.ts'
import type { BillingState } from './billing-state.ts'
import { type Draft, headOf } from './draft.ts'
import { planOf } from './service-parts.ts'

/** Fees that are billed, then fees that are given back; each in order of time. */
export function baseLines<C extends string>(
  state: BillingState<C>,
  { wanted, unused }: BaseFeeChanges<C>,
  nowMs: InstantMs,
): readonly Draft<C>[] {
  return [...wanted.map((fee) => wantedLine(state, fee)), ...unused.map((fee) => unusedLine(state, fee, nowMs))]
}

function wantedLine<C extends string>(state: BillingState<C>, { part, period, amount }: WantedFee<C>): Draft<C> {
  const { plan, cell } = part
  const taxRates = taxRatesOf(state.taxes, undefined)
  const head = headOf({ plan, shown: period }, null, 'base', amount)
  const line = { ...head, taxRates, before: null, costs: [{ atMs: period.startMs, amount }] }
  const fee = { plan: plan.plan, planVersion: plan.version, cell, period, billed: nothingBilled<C>(taxRates) }
  return { line, of: { kind: 'base', fee } }
}

/** Tax rates and coupons are those of the line that it gives back. */
function unusedLine<C extends string>(state: BillingState<C>, { fee, rest, amount }: UnusedFee<C>, nowMs: InstantMs): Draft<C> {
  const { billed, period } = fee
  const head = headOf({ plan: planOf(state, fee), shown: rest }, null, 'unused', amount)
  const costs = [{ atMs: nowMs, amount }]
  const line = { ...head, taxRates: billed.taxRates, adjusts: billed.line, before: billed, costs }
  return { line, of: { kind: 'base', fee: { ...fee, period: { startMs: period.startMs, endMs: rest.startMs } } } }
}
