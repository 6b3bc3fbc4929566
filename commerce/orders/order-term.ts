import { endOfTerm, type PlanSelling } from '../../domain/catalog/plan-selling.ts'
import type { InstantMs } from '../../domain/identity.ts'

/** The time in which an order holds, half-open; without an end it holds for good. */
export type OrderTerm = { readonly startMs: InstantMs; readonly endMs: InstantMs | null }

/** The term of a purchase paid at `paidMs`. `earlier` are the customer's terms of the same plan that were not taken back. */
export function orderTerm({ validFor, again }: PlanSelling, earlier: readonly OrderTerm[], paidMs: InstantMs): OrderTerm {
  if (validFor === undefined) return { startMs: paidMs, endMs: null }
  const ends = again === 'extend' ? earlier.flatMap(({ endMs }) => endMs ?? []) : []
  const startMs = Math.max(paidMs, ...ends) as InstantMs
  return { startMs, endMs: endOfTerm(startMs, validFor) }
}

export function holdsAt({ startMs, endMs }: OrderTerm, atMs: InstantMs): boolean {
  return startMs <= atMs && (endMs === null || atMs < endMs)
}

/** How long it holds from an instant on without a gap; null when it does not hold, or holds for good. */
export function holdsUntil(terms: readonly OrderTerm[], atMs: InstantMs): InstantMs | null {
  let untilMs: InstantMs | null = atMs
  for (const { startMs, endMs } of terms.toSorted((a, b) => a.startMs - b.startMs)) {
    if (untilMs === null || startMs > untilMs) break
    if (endMs === null || endMs > untilMs) untilMs = endMs
  }
  return untilMs === atMs ? null : untilMs
}
