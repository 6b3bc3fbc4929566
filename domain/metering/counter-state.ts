import { invariant, unreachable } from '../../base/invariant.ts'
import { NANO } from '../decimal.ts'
import type { InstantMs, Offset } from '../identity.ts'

/**
 * Used quantity of one feature in one period: an update (what to add) and a state (what stands there) have one shape, so that a
 * state is the merge of its updates in any order. Quantities are bigints in nano units.
 */
export type CounterState =
  | { readonly kind: 'add'; readonly amount: bigint }
  | { readonly kind: 'max' | 'min'; readonly value: bigint }
  | { readonly kind: 'average'; readonly sum: bigint; readonly events: number }
  | { readonly kind: 'latest'; readonly value: bigint; readonly occurredAtMs: InstantMs; readonly offset: Offset; readonly index: number }
  | { readonly kind: 'unique'; readonly values: readonly string[] }

/** Commutative, associative, and idempotent except where amounts add up. Both count for one meter and so are of one kind. */
export function mergeCounterStates(a: CounterState, b: CounterState): CounterState {
  switch (a.kind) {
    case 'add':
      invariant(b.kind === 'add', SAME_KIND)
      return { kind: 'add', amount: a.amount + b.amount }
    case 'max':
      invariant(b.kind === 'max', SAME_KIND)
      return b.value > a.value ? b : a
    case 'min':
      invariant(b.kind === 'min', SAME_KIND)
      return b.value < a.value ? b : a
    case 'average':
      invariant(b.kind === 'average', SAME_KIND)
      return { kind: 'average', sum: a.sum + b.sum, events: a.events + b.events }
    case 'latest':
      invariant(b.kind === 'latest', SAME_KIND)
      return isLater(b, a) ? b : a
    case 'unique':
      invariant(b.kind === 'unique', SAME_KIND)
      return { kind: 'unique', values: [...new Set([...a.values, ...b.values])] }
    default:
      return unreachable(a)
  }
}

/** The used quantity of the state, in nano units. An average is rounded once, to the nano unit, half away from zero. */
export function usedQuantity(state: CounterState): bigint {
  switch (state.kind) {
    case 'add':
      return state.amount
    case 'max':
    case 'min':
    case 'latest':
      return state.value
    case 'average':
      return state.events === 0 ? 0n : divideHalfAwayFromZero(state.sum, BigInt(state.events))
    case 'unique':
      return BigInt(state.values.length) * NANO
    default:
      return unreachable(state)
  }
}

const SAME_KIND = 'states of one meter are of one kind'

type LatestState = Extract<CounterState, { kind: 'latest' }>

/** By event time, then by place in the log: the same in whatever order they come. */
function isLater(a: LatestState, b: LatestState): boolean {
  if (a.occurredAtMs !== b.occurredAtMs) return a.occurredAtMs > b.occurredAtMs
  if (a.offset !== b.offset) return a.offset > b.offset
  return a.index > b.index
}

function divideHalfAwayFromZero(dividend: bigint, divisor: bigint): bigint {
  const half = divisor / 2n
  return dividend < 0n ? -((-dividend + half) / divisor) : (dividend + half) / divisor
}
