import type { InstantMs, Offset } from './identity.ts'

/**
 * Used quantity of one feature in one period: what to add (an update) and what stands there (a state) have one shape,
 * so that a state is the merge of its updates in any order. Quantities are bigints in nano units.
 */
export type CounterState =
  | { readonly kind: 'add'; readonly amount: bigint }
  | { readonly kind: 'max' | 'min'; readonly value: bigint }
  | { readonly kind: 'average'; readonly sum: bigint; readonly events: number }
  | { readonly kind: 'latest'; readonly value: bigint; readonly occurredAtMs: InstantMs; readonly offset: Offset; readonly index: number }
  | { readonly kind: 'unique'; readonly values: readonly string[] }
