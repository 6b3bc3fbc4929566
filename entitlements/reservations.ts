import type { Cap, Counters, CustomerRef, HoldOutcome, ReserveOutcome, SettleRequest } from '../adapters/counters/counters.ts'
import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { invariant, unreachable } from '../base/invariant.ts'
import { allowanceOf } from '../domain/entitlements/decision.ts'
import type { EffectiveEntitlement, MeteredEntitlement } from '../domain/entitlements/entitlements.ts'
import type { CustomerKey, FeatureKey, InstantMs, Period, TenantKey } from '../domain/identity.ts'
import { partitionOf } from '../domain/metering/partitioning.ts'
import { isRefusal, type Outcome, refuse } from '../domain/refusal.ts'
import type { Hold } from '../domain/reservations/hold.ts'
import {
  extendedReservation,
  hardLimitReached,
  type ReservationRequest,
  releasedReservation,
  repeatedReservation,
  reservable,
  settledAtMs,
  settledReservation,
  settleReport,
} from '../domain/reservations/reservation.ts'
import type { BalanceReader, CounterCap } from './balance-reader.ts'
import type { CountersCatchUp } from './counters-catch-up.ts'
import type { EntitlementCache } from './entitlement-cache.ts'
import type { MeteredSpent } from './metered-spent.ts'
import type { SettlementWriter } from './settlement-writer.ts'

export type Reservations = {
  /** A retry with the same `ownId` gets the same hold; `isNew` tells them apart. */
  reserve(tenant: TenantKey, ownId: string | null, request: ReservationRequest): Promise<Outcome<Reserved>>
  find(tenant: TenantKey, id: string): Promise<Outcome<Hold>>
  settle(tenant: TenantKey, id: string, usage: SettledUsage): Promise<Outcome<Hold>>
  release(tenant: TenantKey, id: string): Promise<Outcome<Hold>>
  extend(tenant: TenantKey, id: string, ttlMs: number): Promise<Outcome<Hold>>
}

export type Reserved = { readonly hold: Hold; readonly isNew: boolean; readonly metered: MeteredSpent | null }
export type SettledUsage = { readonly quantity: bigint; readonly occurredAtMs: InstantMs | null; readonly data: object | null }

export type ReservationsDeps = {
  readonly entitlements: EntitlementCache
  readonly balances: BalanceReader
  readonly counters: Counters
  readonly catchUp: CountersCatchUp
  readonly reporter: SettlementWriter
  readonly clock: Clock
  readonly partitions: number
  /** Ids are unique for ever and cannot be guessed. */
  readonly createId: () => string
}

/** Counters may be tracked anew between a wait for them and the next try; more than this in a row is no coincidence. */
const TRIES_MAX = 3

/** Reservations: what the catalog says about the feature meets what the counters hold. The rules are in `domain/reservations/reservation.ts`. */
export function createReservations(deps: ReservationsDeps): Reservations {
  const { entitlements: cache, counters, reporter, clock } = deps

  async function entitlementOf(tenant: TenantKey, customer: CustomerKey, feature: FeatureKey): Promise<EffectiveEntitlement | undefined> {
    const cached = cache.entitlementsOf(tenant, customer)
    return (cached instanceof Promise ? await cached : cached).entitlements.get(feature)
  }

  async function reservableOf(tenant: TenantKey, customer: CustomerKey, feature: FeatureKey): Promise<Outcome<MeteredEntitlement>> {
    const entitlement = await entitlementOf(tenant, customer, feature)
    if (entitlement !== undefined) return reservable(feature, entitlement)
    const known = await cache.feature(tenant, feature)
    if (known === null) return refuse('unknown_feature', { feature })
    return known.type === 'metered'
      ? refuse('no_entitlement', { customer, feature, wanted: 'hold' })
      : refuse('feature_not_metered', { feature, wanted: 'hold' })
  }

  async function repeated(hold: Hold, request: ReservationRequest): Promise<Outcome<Reserved>> {
    const same = repeatedReservation(hold, request)
    if (isRefusal(same)) return same
    const entitlement = await entitlementOf(hold.tenant, hold.customer, hold.feature)
    if (entitlement?.type !== 'metered') return { hold, isNew: false, metered: null }
    const [metered] = await deps.balances.spent(hold.tenant, hold.customer, [entitlement])
    return { hold, isNew: false, metered: metered ?? null }
  }

  async function settle(tenant: TenantKey, id: string, usage: SettledUsage): Promise<Outcome<Hold>> {
    const found = await counters.hold(tenant, id, clock.now())
    if (found === null) return refuse('unknown_reservation', { reservation: id })
    const { customer, feature } = found
    const entitlement = await entitlementOf(tenant, customer, feature)
    const metered = entitlement?.type === 'metered' ? entitlement : null
    const meter =
      metered === null ? await cache.feature(tenant, feature) : { meter: metered.tracked.meter.key, filter: metered.tracked.filter }
    if (meter === null || meter.meter === null) return refuse('unknown_feature', { feature })
    const outcome = await settleHold(deps, found, metered, {
      quantity: usage.quantity,
      occurredAtMs: settledAtMs(found, usage.occurredAtMs, clock.now()),
      report: settleReport(feature, meter.meter, meter.filter, usage.data),
    })
    const hold = outcomeHold(outcome, id)
    if (isRefusal(hold)) return hold
    const settled = settledReservation(hold, usage.quantity)
    // Also when it was settled before: the answer may have been lost together with the event.
    if (!isRefusal(settled) && hold.state.kind === 'settling') await reporter.report(hold)
    return settled
  }

  return {
    async reserve(tenant, ownId, request) {
      const { customer, feature } = request
      const entitlement = await reservableOf(tenant, customer, feature)
      if (isRefusal(entitlement)) {
        // A hold under this id stays, whatever has become of the entitlement.
        const known = ownId === null ? null : await counters.hold(tenant, ownId, clock.now())
        return known === null ? entitlement : repeated(known, request)
      }
      const { outcome, spentOf } = await reserveHold(deps, tenant, ownId ?? deps.createId(), entitlement, request)
      if (outcome.status === 'exists') return repeated(outcome.hold, request)
      if (outcome.status === 'too_many') return refuse('too_many_holds', { of: outcome.of, holdsMax: outcome.holdsMax })
      const metered = spentOf(outcome)
      if (outcome.status === 'held') return { hold: outcome.hold, isNew: true, metered }
      const { limit, usedUnits, heldUnits, overage } = allowanceOf(entitlement, metered.spent)
      invariant(limit !== null, 'only a limit refuses')
      const coveredUnits = entitlement.account === null ? usedUnits : usedUnits - overage
      return hardLimitReached(outcome.hold, limit, { usedUnits: coveredUnits, heldUnits, resetsAtMs: metered.spent.period.endMs })
    },
    async find(tenant, id) {
      return (await counters.hold(tenant, id, clock.now())) ?? refuse('unknown_reservation', { reservation: id })
    },
    settle,
    async release(tenant, id) {
      const found = await counters.hold(tenant, id, clock.now())
      if (found === null) return refuse('unknown_reservation', { reservation: id })
      const hold = outcomeHold(await counters.releaseHold(found, id, clock.now()), id)
      return isRefusal(hold) ? hold : releasedReservation(hold)
    },
    async extend(tenant, id, ttlMs) {
      const nowMs = clock.now()
      const found = await counters.hold(tenant, id, nowMs)
      if (found === null) return refuse('unknown_reservation', { reservation: id })
      const hold = outcomeHold(await counters.extendHold(found, id, (nowMs + ttlMs) as InstantMs, nowMs), id)
      return isRefusal(hold) ? hold : extendedReservation(hold)
    },
  }
}

type Decided = { readonly outcome: Exclude<ReserveOutcome, { status: 'untracked' }>; readonly spentOf: CounterCap['spentOf'] }

async function reserveHold(
  { counters, balances, catchUp, clock, partitions }: ReservationsDeps,
  tenant: TenantKey,
  id: string,
  entitlement: MeteredEntitlement,
  { customer, feature, quantity, ttlMs }: ReservationRequest,
): Promise<Decided> {
  const ref: CustomerRef = { tenant, customer, partition: partitionOf(tenant, customer, partitions) }
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    if (hardLimitOf(entitlement) !== null) await catchUp.wait(ref.partition)
    const { cap, untilMs, spentOf } = await balances.cap(tenant, customer, entitlement)
    const nowMs = clock.now()
    if (nowMs >= untilMs) continue
    const request = { id, feature, quantity, expiresAtMs: (nowMs + ttlMs) as InstantMs, cap }
    const outcome = await counters.reserve(ref, request, nowMs)
    if (outcome.status !== 'untracked') return { outcome, spentOf }
    await balances.spent(tenant, customer, [entitlement])
  }
  throw notTracked()
}

/** With a hard limit, the part beyond the hold must fit under the limit; without an entitlement nothing beyond the hold is allowed. */
async function settleHold(
  { counters, balances, catchUp, clock }: ReservationsDeps,
  hold: Hold,
  entitlement: MeteredEntitlement | null,
  request: Omit<SettleRequest, 'beyond'>,
): Promise<HoldOutcome> {
  if (entitlement === null) return counters.settleHold(hold, hold.id, { ...request, beyond: 'none' }, clock.now())
  if (hardLimitOf(entitlement) === null) return counters.settleHold(hold, hold.id, { ...request, beyond: 'any' }, clock.now())
  const period = balances.periodAt(entitlement, request.occurredAtMs)
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    if (request.quantity > hold.quantity || hold.expiresAtMs <= clock.now()) await catchUp.wait(hold.partition)
    const beyond = await beyondHold(balances, hold, entitlement, period, request.occurredAtMs)
    const nowMs = clock.now()
    const outcome = await counters.settleHold(hold, hold.id, { ...request, beyond }, nowMs)
    if (outcome.status !== 'untracked') return outcome
    await balances.spent(hold.tenant, hold.customer, [entitlement])
    // The counters no longer keep this period, so nobody knows what is left of it.
    if (period.endMs <= nowMs) return counters.settleHold(hold, hold.id, { ...request, beyond: 'none' }, clock.now())
  }
  throw notTracked()
}

function outcomeHold(outcome: HoldOutcome, id: string): Outcome<Hold> {
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

function hardLimitOf({ limit, limitType }: MeteredEntitlement): bigint | null {
  return limitType === 'hard' ? limit : null
}

function notTracked(): Fault {
  return new Fault('balance_unavailable', `a customer's counters were lost again after each of ${TRIES_MAX} waits for them`, {
    canRetry: true,
    publicText: 'The balance is still being counted; try again.',
  })
}
