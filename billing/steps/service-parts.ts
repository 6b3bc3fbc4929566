import { invariant } from '../../base/invariant.ts'
import type { BilledPart } from '../../domain/billing/billed.ts'
import type { PlanVersion } from '../../domain/catalog/plan.ts'
import { anchorAt, phaseAt, type Subscription, type SubscriptionPhase } from '../../domain/catalog/subscription.ts'
import { END_OF_TIME_MS, type InstantMs, type Period } from '../../domain/identity.ts'
import { billingCellAt } from '../../domain/time/calendar.ts'
import type { Life } from './billing-state.ts'
import { overlaps } from './own-stretches.ts'

/** A stretch of a cell of the anchor's grid on one plan version: in most cases the whole cell. */
export type ServicePart = { readonly plan: PlanVersion; readonly cell: Period; readonly period: Period }

/** The parts that reach into a stretch, whole and in order of time; they tile the served time. */
export function serviceParts(life: Life, stretch: Period): readonly ServicePart[] {
  const parts: ServicePart[] = []
  for (const phase of life.subscription.phases) {
    const served = servedIn(life, phase)
    if (!overlaps(served, stretch)) continue
    const plan = planOf(life, phase)
    const lastMs = Math.min(served.endMs, stretch.endMs)
    for (let atMs = Math.max(served.startMs, stretch.startMs) as InstantMs; atMs < lastMs; ) {
      const cell = cellAt(life, phase, plan, atMs)
      const startMs = Math.max(cell.startMs, served.startMs) as InstantMs
      const endMs = Math.min(cell.endMs, served.endMs) as InstantMs
      parts.push({ plan, cell, period: { startMs, endMs } })
      atMs = endMs
    }
  }
  return parts
}

/**
 * Where the period that holds the instant is closed: at the end of its cell, where a change of plan moves to another grid
 * (another interval, or a reset anchor), or at the end of the subscription. A change within the grid closes nothing.
 */
export function nextBoundary(life: Life, afterMs: InstantMs): InstantMs {
  const lastMs = life.subscription.endMs ?? END_OF_TIME_MS
  let atMs = afterMs
  while (atMs < lastMs) {
    const phase = phaseHolding(life, atMs)
    const cell = cellAt(life, phase, planOf(life, phase), atMs)
    const phaseEndMs = phase.endMs ?? END_OF_TIME_MS
    if (cell.endMs <= phaseEndMs) return Math.min(cell.endMs, lastMs) as InstantMs
    if (phaseEndMs >= lastMs) return lastMs
    if (gridOf(life, phaseHolding(life, phaseEndMs)) !== gridOf(life, phase)) return phaseEndMs
    atMs = phaseEndMs
  }
  return lastMs
}

/**
 * The billing period that holds an instant, whole, under the plan in force then: periods tile the served time, as a change to another
 * grid closes the one under way. Instants outside of the subscription give the first or last one.
 */
export function periodAt(life: Life, atMs: InstantMs): ServicePart {
  const { startMs, endMs, phases } = life.subscription
  const insideMs = Math.max(startMs, Math.min(atMs, (endMs ?? END_OF_TIME_MS) - 1)) as InstantMs
  const phase = phaseAt(life.subscription, insideMs)
  const plan = planOf(life, phase)
  const grid = gridOf(life, phase)
  const before = phases.slice(0, phases.indexOf(phase))
  const closing = before.findLastIndex((each) => gridOf(life, each) !== grid)
  const sinceMs = (before[closing + 1] ?? phase).startMs
  const cell = cellAt(life, phase, plan, insideMs)
  return { plan, cell, period: { startMs: Math.max(cell.startMs, sinceMs) as InstantMs, endMs: nextBoundary(life, insideMs) } }
}

/** The plan version of a phase, with the subscription's own prices where it has any. */
export function planOf(
  { planVersions }: Life,
  { plan, planVersion, priceOverrides }: Pick<SubscriptionPhase, 'plan' | 'planVersion' | 'priceOverrides'>,
): PlanVersion {
  const version = planVersions.find((each) => each.plan === plan && each.version === planVersion)
  invariant(version !== undefined, `version ${planVersion} of plan ${plan} is kept as a subscription is on it`)
  if (priceOverrides === undefined) return version
  // A map, as a charge may be named like a property that every object has.
  const prices = new Map(Object.entries(priceOverrides))
  const charges = version.charges.map((charge) => ({ ...charge, price: prices.get(charge.key) ?? charge.price }))
  return { ...version, charges }
}

/** The plan version that a part was billed by. A change may have replaced a phase that began at the very same instant. */
export function planOfBilled(life: Life, billed: Pick<BilledPart, 'plan' | 'planVersion' | 'period'>): PlanVersion {
  const { plan, planVersion, period } = billed
  const phase = phaseAt(life.subscription, period.startMs)
  return planOf(life, phase.plan === plan && phase.planVersion === planVersion ? phase : billed)
}

/** Without an interval the plan has one period: the time that is served on it. */
function cellAt(life: Life, phase: SubscriptionPhase, { interval }: PlanVersion, atMs: InstantMs): Period {
  if (interval === 'once') return servedIn(life, phase)
  const anchorMs = anchorAt(life.subscription, phase.startMs)
  const known = knownCells(life.subscription, `${interval} ${anchorMs}`)
  const found = known.findLast(({ startMs, endMs }) => startMs <= atMs && atMs < endMs)
  if (found !== undefined) return found
  const cell = billingCellAt(interval, anchorMs, atMs, life.subscription.timezone)
  known.push(cell)
  return cell
}

/**
 * Local boundaries are turned into instants once, as asking a timezone for its offset takes ten times as long as the rest of a
 * decision's arithmetic. Lives as long as the loaded subscription, and holds a cell per period of a run.
 */
const CELLS = new WeakMap<Subscription, Map<string, Period[]>>()

function knownCells(subscription: Subscription, grid: string): Period[] {
  const byGrid = CELLS.get(subscription) ?? new Map<string, Period[]>()
  const cells = byGrid.get(grid) ?? []
  CELLS.set(subscription, byGrid.set(grid, cells))
  return cells
}

function servedIn({ subscription }: Life, { startMs, endMs }: SubscriptionPhase): Period {
  const lastMs = Math.min(endMs ?? END_OF_TIME_MS, subscription.endMs ?? END_OF_TIME_MS) as InstantMs
  return { startMs, endMs: Math.max(startMs, lastMs) as InstantMs }
}

function phaseHolding({ subscription }: Life, atMs: InstantMs): SubscriptionPhase {
  const phase = subscription.phases.find(({ startMs, endMs }) => startMs <= atMs && (endMs === null || atMs < endMs))
  invariant(phase !== undefined, 'phases adjoin from the start of a subscription to its end')
  return phase
}

/** Equal for phases whose periods lie on one grid. */
function gridOf(life: Life, phase: SubscriptionPhase): string {
  const { interval } = planOf(life, phase)
  return interval === 'once' ? `once ${phase.startMs}` : `${interval} ${anchorAt(life.subscription, phase.startMs)}`
}
