import type { Committed } from '../../domain/billing/billing-book.ts'
import { minus, plus, zero } from '../../domain/billing/money.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { commitmentEnd, countedTowards, missingToCommitment } from '../commitments/commitment.ts'
import { taxRatesOf } from './apply-taxes.ts'
import type { BillingState } from './billing-state.ts'
import type { Draft } from './draft.ts'
import type { Closing } from './due.ts'
import type { Remembered } from './remember.ts'
import { billedAfter } from './settle.ts'

/** The line that trues a commitment up, on the document that closes its term; late usage of the term lowers it again. */
export function commitmentLine<C extends string>(
  state: BillingState<C>,
  closing: Closing,
  drafts: readonly Draft<C>[],
  nowMs: InstantMs,
): readonly Draft<C>[] {
  const { subscription, currency, committed, taxes } = state
  const { commitment, endMs } = subscription
  if (commitment === undefined || !closing.recounts) return []
  const period = { startMs: commitment.fromMs, endMs: commitmentEnd(commitment, endMs) }
  if (closing.usageToMs < period.endMs || period.startMs === period.endMs) return []
  const counted = countedTowards(
    commitment,
    drafts.map(({ line }) => line),
  )
  const missing = missingToCommitment(currency, commitment, endMs, plus(committed?.counted ?? zero(), counted))
  const before = committed?.trueUp ?? null
  const amount = minus(missing, before?.amount ?? zero())
  const taxRates = before?.taxRates ?? taxRatesOf(taxes, undefined)
  return [
    {
      line: {
        ...{ kind: 'trueUp', item: 'commitment', feature: null, plan: null, planVersion: null, period, amount, taxRates, before },
        ...{ quantityNano: null, exact: null, tiers: null, adjusts: before?.line ?? null, billedBy: [], isShown: amount !== 0n },
        costs: [{ atMs: before === null ? ((period.endMs - 1) as InstantMs) : nowMs, amount }],
      },
      of: { kind: 'commitment' },
    },
  ]
}

/** What counts towards the commitment once the lines are final. */
export function committedAfter<C extends string>(
  { subscription: { commitment }, committed }: BillingState<C>,
  remembered: readonly Remembered<C>[],
  invoice: string | null,
): Committed<C> | null {
  if (commitment === undefined) return null
  const own = remembered.find(({ of }) => of.kind === 'commitment')
  const others = remembered.filter((each) => each !== own).map(({ line }) => line)
  return {
    counted: plus(committed?.counted ?? zero(), countedTowards(commitment, others)),
    trueUp: own === undefined ? (committed?.trueUp ?? null) : billedAfter(own.line, invoice),
  }
}
