import type { CustomerRef, HoldRequest, ReserveOutcome } from '../adapters/counters/counters.ts'
import { invariant } from '../base/invariant.ts'
import { allowanceOf } from '../domain/entitlements/decision.ts'
import type { EffectiveEntitlement, MeteredEntitlement } from '../domain/entitlements/entitlements.ts'
import type { CustomerKey, FeatureKey, InstantMs, TenantKey } from '../domain/identity.ts'
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
  settleReport,
} from '../domain/reservations/reservation.ts'
import type { CounterCap } from './balance-reader.ts'
import type { EntitlementCache } from './entitlement-cache.ts'
import type { MeteredSpent } from './metered-spent.ts'
import {
  hardLimitOf,
  notTracked,
  outcomeHold,
  type SettleDeps,
  type Settled,
  type SettledUsage,
  settleReservation,
  TRIES_MAX,
} from './settle-reservation.ts'

export type Reservations = {
  /** A retry with the same `ownId` gets the same hold; `isNew` tells them apart. */
  reserve(tenant: TenantKey, ownId: string | null, request: ReservationRequest): Promise<Outcome<Reserved>>
  find(tenant: TenantKey, id: string): Promise<Outcome<Hold>>
  settle(tenant: TenantKey, id: string, usage: SettledUsage): Promise<Outcome<Settled>>
  release(tenant: TenantKey, id: string): Promise<Outcome<Hold>>
  extend(tenant: TenantKey, id: string, ttlMs: number): Promise<Outcome<Hold>>
}

export type Reserved = { readonly hold: Hold; readonly isNew: boolean; readonly metered: MeteredSpent | null }

export type ReservationsDeps = SettleDeps & {
  readonly partitions: number
  /** Ids are unique for ever and cannot be guessed. */
  readonly createId: () => string
}

/** Reservations: what the catalog says about the feature meets what the counters hold. The rules are in `domain/reservations/reservation.ts`. */
export function createReservations(deps: ReservationsDeps): Reservations {
  const { entitlements: cache, counters, reporter, clock } = deps

  async function repeated(hold: Hold, request: ReservationRequest): Promise<Outcome<Reserved>> {
    const same = repeatedReservation(hold, request)
    if (isRefusal(same)) return same
    // The answer may have been lost together with the usage event.
    if (hold.state.kind === 'settling') await reporter.report(hold)
    const entitlement = await entitlementOf(cache, hold.tenant, hold.customer, hold.feature)
    if (entitlement?.type !== 'metered') return { hold, isNew: false, metered: null }
    const [metered] = await deps.balances.spent(hold.tenant, hold.customer, [entitlement])
    return { hold, isNew: false, metered: metered ?? null }
  }

  return {
    async reserve(tenant, ownId, request) {
      const { customer, feature } = request
      const entitlement = await reservableOf(cache, tenant, customer, feature)
      if (isRefusal(entitlement)) {
        // A hold under this id stays, whatever has become of the entitlement.
        const known = ownId === null ? null : await counters.hold(tenant, ownId, clock.now())
        return known === null ? entitlement : repeated(known, request)
      }
      const settles = settlesOf(entitlement, request)
      if (isRefusal(settles)) return settles
      const { outcome, spentOf } = await reserveHold(deps, tenant, ownId ?? deps.createId(), entitlement, request, settles)
      if (outcome.status === 'exists') return repeated(outcome.hold, request)
      if (outcome.status === 'too_many') return refuse('too_many_holds', { of: outcome.of, holdsMax: outcome.holdsMax })
      const metered = spentOf(outcome)
      if (outcome.status === 'held') {
        if (settles !== undefined) await reporter.report(outcome.hold)
        return { hold: outcome.hold, isNew: true, metered }
      }
      const { limit, usedUnits, heldUnits, overage } = allowanceOf(entitlement, metered.spent)
      invariant(limit !== null, 'only a limit refuses')
      const coveredUnits = entitlement.account === null ? usedUnits : usedUnits - overage
      return hardLimitReached(outcome.hold, limit, { usedUnits: coveredUnits, heldUnits, resetsAtMs: metered.spent.period.endMs })
    },
    async find(tenant, id) {
      return (await counters.hold(tenant, id, clock.now())) ?? refuse('unknown_reservation', { reservation: id })
    },
    settle: (tenant, id, usage) => settleReservation(deps, tenant, id, usage),
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

/** Undefined where the units are only held. */
function settlesOf({ tracked }: MeteredEntitlement, { feature, settles }: ReservationRequest): Outcome<HoldRequest['settles']> {
  if (settles === null) return undefined
  const report = settleReport(feature, tracked.meter, tracked.filter, settles.properties)
  return isRefusal(report) ? report : { report, takes: 'all' }
}

async function entitlementOf(
  cache: EntitlementCache,
  tenant: TenantKey,
  customer: CustomerKey,
  feature: FeatureKey,
): Promise<EffectiveEntitlement | undefined> {
  const cached = cache.entitlementsOf(tenant, customer)
  return (cached instanceof Promise ? await cached : cached).entitlements.get(feature)
}

export async function reservableOf(
  cache: EntitlementCache,
  tenant: TenantKey,
  customer: CustomerKey,
  feature: FeatureKey,
): Promise<Outcome<MeteredEntitlement>> {
  const entitlement = await entitlementOf(cache, tenant, customer, feature)
  if (entitlement !== undefined) return reservable(feature, entitlement)
  const known = await cache.feature(tenant, feature)
  if (known === null) return refuse('unknown_feature', { feature })
  return known.type === 'metered'
    ? refuse('no_entitlement', { customer, feature, wanted: 'hold' })
    : refuse('feature_not_metered', { feature, wanted: 'hold' })
}

type Decided = { readonly outcome: Exclude<ReserveOutcome, { status: 'untracked' }>; readonly spentOf: CounterCap['spentOf'] }

export async function reserveHold(
  { counters, balances, catchUp, clock, partitions }: Pick<ReservationsDeps, 'counters' | 'balances' | 'catchUp' | 'clock' | 'partitions'>,
  tenant: TenantKey,
  id: string,
  entitlement: MeteredEntitlement,
  { customer, feature, quantity, ttlMs }: Omit<ReservationRequest, 'settles'>,
  settles: HoldRequest['settles'],
): Promise<Decided> {
  const ref: CustomerRef = { tenant, customer, partition: partitionOf(tenant, customer, partitions) }
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    if (hardLimitOf(entitlement) !== null) await catchUp.wait(ref.partition)
    const { cap, untilMs, spentOf } = await balances.cap(tenant, customer, entitlement)
    const nowMs = clock.now()
    if (nowMs >= untilMs) continue
    const request = { id, feature, quantity, expiresAtMs: (nowMs + ttlMs) as InstantMs, cap, ...(settles === undefined ? {} : { settles }) }
    const outcome = await counters.reserve(ref, request, nowMs)
    if (outcome.status !== 'untracked') return { outcome, spentOf }
    await balances.spent(tenant, customer, [entitlement])
  }
  throw notTracked()
}
