import type { DocumentKind } from '../../domain/billing/invoice.ts'
import type { Money } from '../../domain/billing/money.ts'
import { END_OF_TIME_MS, type InstantMs } from '../../domain/identity.ts'
import { moneyOfPlan, reconcileBaseFees } from './base-fees.ts'
import type { BillingState } from './billing-state.ts'
import { nextBoundary, serviceParts } from './service-parts.ts'

/** What the next document of a subscription closes, and the instant from which it can be made final. */
export type Closing = {
  readonly kind: Exclude<DocumentKind, 'manual' | 'topUp'>
  readonly closesAtMs: InstantMs
  readonly dueAtMs: InstantMs
  /** Base fees are billed up to here. */
  readonly baseToMs: InstantMs
  /** Periods are closed up to here; the cursor's place when none is. */
  readonly usageToMs: InstantMs
  /** Usage of earlier parts is counted again. */
  readonly recounts: boolean
}

/**
 * The next document: the opening when a subscription starts, a change whose fees are wanted at once, the next boundary (after the
 * grace, as it holds usage), and after the end once more when the last late window has closed. Null when nothing is to come.
 * Boundaries are closed oldest first, however late a run is.
 */
export function nextClosing<C extends string>(state: BillingState<C>): Closing | null {
  const { subscription, cursor, settings } = state
  const { startMs, endMs } = subscription
  const usageToMs = cursor.usageBilledToMs
  if (cursor.baseBilledToMs === null) {
    if (endMs !== null && endMs <= startMs) return null
    const baseToMs = nextBoundary(state, startMs)
    return { kind: 'opening', closesAtMs: startMs, dueAtMs: startMs, baseToMs, usageToMs: startMs, recounts: false }
  }
  if (endMs !== null && cursor.baseBilledToMs === endMs && usageToMs >= endMs) return lastLook(state, endMs)
  const closesAtMs = endMs !== null && endMs <= usageToMs ? endMs : nextBoundary(state, usageToMs)
  const changeMs = nextChange(state, closesAtMs)
  if (changeMs !== null) {
    return { kind: 'change', closesAtMs: changeMs, dueAtMs: changeMs, baseToMs: cursor.baseBilledToMs, usageToMs, recounts: false }
  }
  if (closesAtMs >= END_OF_TIME_MS) return null
  const isLast = closesAtMs === endMs
  return {
    kind: isLast ? 'closing' : 'cycle',
    closesAtMs,
    dueAtMs: (closesAtMs + settings.graceMs) as InstantMs,
    baseToMs: isLast ? closesAtMs : nextBoundary(state, closesAtMs),
    usageToMs: Math.max(closesAtMs, usageToMs) as InstantMs,
    recounts: true,
  }
}

/** The closing that can be made final at an instant, or null. */
export function closingDue<C extends string>(state: BillingState<C>, nowMs: InstantMs): Closing | null {
  const closing = nextClosing(state)
  return closing !== null && closing.dueAtMs <= nowMs ? closing : null
}

/** A document over the usage of the current period so far, for plans that bill it when it has passed a threshold. */
export function thresholdClosing<C extends string>(state: BillingState<C>, nowMs: InstantMs): ThresholdClosing<C> | null {
  const { cursor, subscription } = state
  const isServed = nowMs >= subscription.startMs && (subscription.endMs === null || nowMs < subscription.endMs)
  if (cursor.baseBilledToMs === null || !isServed || nowMs < cursor.usageBilledToMs) return null
  const [now] = serviceParts(state, { startMs: nowMs, endMs: (nowMs + 1) as InstantMs })
  if (now?.plan.thresholdAmount === undefined) return null
  const usageToMs = cursor.usageBilledToMs
  return {
    closing: { kind: 'threshold', closesAtMs: nowMs, dueAtMs: nowMs, baseToMs: cursor.baseBilledToMs, usageToMs, recounts: false },
    amount: moneyOfPlan(state.currency, now.plan.thresholdAmount),
  }
}

export type ThresholdClosing<C extends string = string> = { readonly closing: Closing; readonly amount: Money<C> }

/** After the end parts are counted once more, when the late window of the last one has closed. */
function lastLook<C extends string>(state: BillingState<C>, endMs: InstantMs): Closing | null {
  if (state.parts.length === 0) return null
  const dueAtMs = (endMs + state.settings.lateWindowMs) as InstantMs
  return { kind: 'adjustment', closesAtMs: endMs, dueAtMs, baseToMs: endMs, usageToMs: state.cursor.usageBilledToMs, recounts: true }
}

/** The first change (or the end) before the boundary whose fees are wanted at once and are not billed yet. */
function nextChange<C extends string>(state: BillingState<C>, boundaryMs: InstantMs): InstantMs | null {
  const { subscription, currency, baseFees, cursor } = state
  const { phases, endMs, endInvoiceNow } = subscription
  const changes = phases
    .filter(({ invoiceNow, startMs }) => invoiceNow === true && startMs > cursor.usageBilledToMs)
    .map(({ startMs }) => startMs)
  if (endInvoiceNow === true && endMs !== null) changes.push(endMs)
  for (const atMs of changes.sort((a, b) => a - b)) {
    if (atMs > boundaryMs || cursor.baseBilledToMs === null) break
    const due = { fromMs: cursor.usageBilledToMs, closesAtMs: atMs, toMs: cursor.baseBilledToMs }
    const { unused, wanted } = reconcileBaseFees(state, currency, baseFees, due)
    if (unused.length > 0 || wanted.length > 0) return atMs
  }
  return null
}
