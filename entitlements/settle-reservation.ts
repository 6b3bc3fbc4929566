import { createHash } from 'node:crypto'
import type { Cap, Counters, HoldOutcome, SettleRequest } from '../adapters/counters/counters.ts'
import type { MeterReader } from '../adapters/database/meters/meter-store.ts'
import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { unreachable } from '../base/invariant.ts'
import type { MeteredEntitlement } from '../domain/entitlements/entitlements.ts'
import type { InstantMs, Period, TenantKey } from '../domain/identity.ts'
import type { DimensionFilter } from '../domain/metering/dimension-filter.ts'
import type { Meter } from '../domain/metering/meter.ts'
import { isRefusal, type Outcome, refuse } from '../domain/refusal.ts'
import type { Hold } from '../domain/reservations/hold.ts'
import { eventsReport, settledAtMs, settledReservation, settleReport } from '../domain/reservations/reservation.ts'
import { type SettledEvent, unitsOfEvents } from '../domain/reservations/settled-events.ts'
import type { BalanceReader } from './balance-reader.ts'
import type { CountersCatchUp } from './counters-catch-up.ts'
import type { EntitlementCache } from './entitlement-cache.ts'
import type { MeteredSpent } from './metered-spent.ts'
import type { SettlementWriter } from './settlement-writer.ts'

/** What was really used: units of the feature with the properties that its meter's dimensions read, or the events that happened. */
export type SettledUsage =
  | { readonly quantity: bigint; readonly occurredAtMs: InstantMs | null; readonly properties: object | null }
  | { readonly events: readonly SettledEvent[] }

/** `metered` is null where what is spent cannot be said without a wait. */
export type Settled = { readonly hold: Hold; readonly metered: MeteredSpent | null }

export type SettleDeps = {
  readonly entitlements: EntitlementCache
  readonly meters: MeterReader
  readonly balances: BalanceReader
  readonly counters: Counters
  readonly catchUp: CountersCatchUp
  readonly reporter: SettlementWriter
  readonly clock: Clock
}

/** Counters may be tracked anew between a wait for them and the next try; more than this in a row is no coincidence. */
export const TRIES_MAX = 3

/** Settles a hold and brings what was used into the log. Resolves when both are durable. */
export async function settleReservation(deps: SettleDeps, tenant: TenantKey, id: string, usage: SettledUsage): Promise<Outcome<Settled>> {
  const { counters, clock } = deps
  const found = await counters.hold(tenant, id, clock.now())
  if (found === null) return refuse('unknown_reservation', { reservation: id })
  const { entitlements } = await deps.entitlements.entitlementsOf(tenant, found.customer)
  const entitlement = entitlements.get(found.feature)
  const metered = entitlement?.type === 'metered' ? entitlement : null
  const target = metered === null ? await targetWithoutEntitlement(deps, found) : metered.tracked
  if (target === null) return refuse('unknown_feature', { feature: found.feature })
  const request =
    'events' in usage ? eventsRequest(found, target, usage.events, clock.now()) : quantityRequest(found, target, usage, clock.now())
  if (isRefusal(request)) return request
  const outcome = await settleHold(deps, found, metered, request)
  const hold = outcomeHold(outcome, id)
  if (isRefusal(hold)) return hold
  const settled = settledReservation(hold, request)
  if (isRefusal(settled)) return settled
  // Also when it was settled before: the answer may have been lost together with the events.
  if (hold.state.kind === 'settling') await deps.reporter.report(hold)
  return { hold: settled, metered: metered === null ? null : await deps.balances.spentNow(tenant, found.customer, metered) }
}

export function outcomeHold(outcome: HoldOutcome, id: string): Outcome<Hold> {
  switch (outcome.status) {
    case 'done':
      return outcome.hold
    case 'unknown':
      return refuse('unknown_reservation', { reservation: id })
    case 'untracked':
      throw notTracked()
    default:
      return unreachable(outcome)
  }
}

export function hardLimitOf({ limit, limitType }: MeteredEntitlement): bigint | null {
  return limitType === 'hard' ? limit : null
}

export function notTracked(): Fault {
  return new Fault('balance_unavailable', `a customer's counters were lost again after each of ${TRIES_MAX} waits for them`, {
    canRetry: true,
    publicText: 'The balance is still being counted; try again.',
  })
}

type Target = { readonly meter: Meter; readonly filter: DimensionFilter }

async function targetWithoutEntitlement({ entitlements, meters }: SettleDeps, { tenant, feature }: Hold): Promise<Target | null> {
  const known = await entitlements.feature(tenant, feature)
  const meter = known === null || known.meter === null ? null : await meters.get(tenant, known.meter)
  return known === null || meter === null ? null : { meter, filter: known.filter }
}

type AskedSettlement = Omit<SettleRequest, 'beyond'>

function quantityRequest(
  hold: Hold,
  { meter, filter }: Target,
  { quantity, occurredAtMs, properties }: Extract<SettledUsage, { quantity: bigint }>,
  nowMs: InstantMs,
): Outcome<AskedSettlement> {
  const report = settleReport(hold.feature, meter, filter, properties)
  return isRefusal(report) ? report : { quantity, occurredAtMs: settledAtMs(hold, occurredAtMs, nowMs), report, eventsHash: null }
}

function eventsRequest(hold: Hold, { meter, filter }: Target, events: readonly SettledEvent[], nowMs: InstantMs): AskedSettlement {
  const eventsHash = createHash('sha256').update(JSON.stringify(events)).digest('base64url')
  return { quantity: unitsOfEvents(meter, filter, events), ...eventsReport(hold, events, nowMs), eventsHash }
}

/**
 * With a hard limit, the part beyond the hold must fit under the limit; without an entitlement nothing beyond the hold is allowed.
 * Events have happened: whatever they come to is settled.
 */
async function settleHold(
  { counters, balances, catchUp, clock }: SettleDeps,
  hold: Hold,
  entitlement: MeteredEntitlement | null,
  request: AskedSettlement,
): Promise<HoldOutcome> {
  const allowing = (beyond: SettleRequest['beyond']) => counters.settleHold(hold, hold.id, { ...request, beyond }, clock.now())
  if (request.eventsHash !== null) return allowing('any')
  if (entitlement === null) return allowing('none')
  if (hardLimitOf(entitlement) === null) return allowing('any')
  const period = balances.periodAt(entitlement, request.occurredAtMs)
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    if (request.quantity > hold.quantity || hold.expiresAtMs <= clock.now()) await catchUp.wait(hold.partition)
    const beyond = await beyondHold(balances, hold, entitlement, period, request.occurredAtMs)
    const nowMs = clock.now()
    const outcome = await counters.settleHold(hold, hold.id, { ...request, beyond }, nowMs)
    if (outcome.status !== 'untracked') return outcome
    await balances.spent(hold.tenant, hold.customer, [entitlement])
    // The counters no longer keep this period, so nobody knows what is left of it.
    if (period.endMs <= nowMs) return allowing('none')
  }
  throw notTracked()
}

/** Where grants count, nothing beyond the hold is allowed for a time before the last reset or before the last grant began or ended. */
async function beyondHold(
  balances: BalanceReader,
  { tenant, customer }: Hold,
  entitlement: MeteredEntitlement,
  { startMs }: Period,
  occurredAtMs: InstantMs,
): Promise<Cap | 'none'> {
  if (entitlement.account === null) {
    return { definition: entitlement.tracked.definition, periodStartMs: startMs, hardLimit: hardLimitOf(entitlement) }
  }
  const { cap } = await balances.cap(tenant, customer, entitlement)
  return occurredAtMs >= cap.periodStartMs ? cap : 'none'
}
