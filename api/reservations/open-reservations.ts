import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Counters } from '../../adapters/counters/counters.ts'
import type { MeterReader } from '../../adapters/database/meters/meter-store.ts'
import type { EventLog } from '../../adapters/event-log/event-log.ts'
import type { Clock } from '../../base/clock.ts'
import type { Entitlements } from '../../entitlements/entitlements.ts'
import { createLimitedReports } from '../../entitlements/limited-reports.ts'
import { createReservations } from '../../entitlements/reservations.ts'
import { createSettlementWriter, type ReportUsage } from '../../entitlements/settlement-writer.ts'
import { createUsageReports } from '../../entitlements/usage-reports.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { usageReportRoutes } from '../usage/usage-report-routes.ts'
import { reservationRoutes } from './reservation-routes.ts'

export type ReservationKit = {
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  readonly stores: { readonly counters: Counters; readonly eventLog: EventLog; readonly meters: MeterReader }
  readonly entitlements: Entitlements
  readonly submit: ReportUsage
  readonly createId: () => string
}

/** Reservations, and direct usage reports: usage that is decided or said, instead of metered. */
export function openReservations({ clock, log, registry, stores, entitlements, submit, createId }: ReservationKit): Stage {
  const { counters, meters } = stores
  const { partitions } = stores.eventLog
  const { cache, balances, catchUp } = entitlements
  const ofStage = log.child({ stage: 'reservations' })
  const reporter = createSettlementWriter({ counters, catchUp, partitions, reportUsage: submit, clock, log: ofStage, registry })
  const deps = { entitlements: cache, meters, balances, counters, catchUp, reporter, clock, partitions }
  const reservations = createReservations({
    ...deps,
    // Sorted by time, so that holds made together are written together: with random ids each changed a page of its own, 165 KB per hold.
    createId: () => `res_${clock.now().toString(36).padStart(9, '0')}${createId()}`,
  })
  const usageReports = createUsageReports({ entitlements: cache, meters, balances, reportUsage: submit })
  const limitedReports = createLimitedReports(deps)
  return {
    name: 'reservations',
    async routes(app) {
      app.register(reservationRoutes({ reservations, registry }))
      app.register(usageReportRoutes({ usageReports, limitedReports, clock, registry, createId }))
    },
    async start() {
      // Not awaited: it waits for the counters to catch up, and no request waits for it.
      reporter.resumeSettles().catch((error: unknown) => ofStage.error({ err: error }, 'settled reservations not appended again'))
    },
    stop: reporter.stop,
  }
}
