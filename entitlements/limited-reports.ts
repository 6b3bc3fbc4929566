import type { InstantMs, TenantKey } from '../domain/identity.ts'
import { usageReportEventId } from '../domain/metering/usage-report.ts'
import { isRefusal, type Outcome, refuse } from '../domain/refusal.ts'
import type { Hold } from '../domain/reservations/hold.ts'
import {
  type LimitedReport,
  limitedReportHoldId,
  RESERVATION_TTL_MS_MIN,
  repeatedReport,
  settleReport,
} from '../domain/reservations/reservation.ts'
import type { MeteredSpent } from './metered-spent.ts'
import { type ReservationsDeps, reservableOf, reserveHold } from './reservations.ts'

/** `takenUnits` of nothing made no event. `metered` is null where what is spent cannot be said without a wait. */
export type Taken = { readonly takenUnits: bigint; readonly occurredAtMs: InstantMs; readonly metered: MeteredSpent | null }

export type LimitedReports = {
  /**
   * Uses as much of the quantity as is left under the limit, hard or soft; all of it where there is none. Decided, held and used
   * in one step, so that no number of reports at once passes the limit. Resolves when the usage is durable in the log.
   */
  take(tenant: TenantKey, report: LimitedReport): Promise<Outcome<Taken>>
}

export function createLimitedReports(deps: Omit<ReservationsDeps, 'createId' | 'meters'>): LimitedReports {
  const { entitlements: cache, balances, reporter, clock } = deps

  async function used(hold: Hold): Promise<Omit<Taken, 'metered'>> {
    if (!('settlement' in hold.state)) return { takenUnits: 0n, occurredAtMs: hold.createdAtMs }
    // Also when it was made before: the answer may have been lost together with the event.
    if (hold.state.kind === 'settling') await reporter.report(hold)
    const { settledUnits, occurredAtMs } = hold.state.settlement
    return { takenUnits: settledUnits, occurredAtMs }
  }

  return {
    async take(tenant, report) {
      const { customer, feature, quantity, id, properties } = report
      const entitlement = await reservableOf(cache, tenant, customer, feature)
      if (isRefusal(entitlement)) return entitlement
      const { meter, filter } = entitlement.tracked
      const settled = settleReport(feature, meter, filter, properties, usageReportEventId(id))
      if (isRefusal(settled)) return settled
      const request = { customer, feature, quantity, ttlMs: RESERVATION_TTL_MS_MIN }
      // A soft limit refuses nobody; who reports up to the limit wants it kept.
      const kept = { ...entitlement, limitType: 'hard' as const }
      const settles = { report: settled, takes: 'what_fits' as const }
      const { outcome, spentOf } = await reserveHold(deps, tenant, limitedReportHoldId(id), kept, request, settles)
      switch (outcome.status) {
        case 'too_many':
          return refuse('too_many_holds', { of: outcome.of, holdsMax: outcome.holdsMax })
        case 'exists': {
          const first = repeatedReport(outcome.hold, report)
          if (isRefusal(first)) return first
          return { ...(await used(first)), metered: await balances.spentNow(tenant, customer, entitlement) }
        }
        case 'refused':
          return { takenUnits: 0n, occurredAtMs: clock.now(), metered: { ...spentOf(outcome), entitlement } }
        case 'held':
          return { ...(await used(outcome.hold)), metered: { ...spentOf(outcome), entitlement } }
      }
    },
  }
}
