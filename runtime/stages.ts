import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { type Aggregator, createAggregator } from '../aggregator/aggregator.ts'
import { balanceRoutes } from '../api/balances/balance-routes.ts'
import { resetRoutes } from '../api/balances/reset-routes.ts'
import { catalogRoutes } from '../api/catalog/catalog-routes.ts'
import { rateRoutes } from '../api/catalog/rate-routes.ts'
import { decisionRoutes } from '../api/decisions/decision-routes.ts'
import { reservationRoutes } from '../api/reservations/reservation-routes.ts'
import { eventRoutes } from '../api/usage/event-routes.ts'
import { usageReportRoutes } from '../api/usage/usage-report-routes.ts'
import { usageRoutes } from '../api/usage/usage-routes.ts'
import type { Clock } from '../base/clock.ts'
import { invariant } from '../base/invariant.ts'
import { invoiceRoutes } from '../billing/invoices/invoice-routes.ts'
import { createBalanceReader } from '../entitlements/balance-reader.ts'
import { createCountersCatchUp } from '../entitlements/counters-catch-up.ts'
import { createEntitlementCache } from '../entitlements/entitlement-cache.ts'
import { createReservations } from '../entitlements/reservations.ts'
import { createSettlementWriter, type ReportUsage, type SettlementWriter } from '../entitlements/settlement-writer.ts'
import { createUsageReports } from '../entitlements/usage-reports.ts'
import { appendEvents } from '../ingest/append-events.ts'
import { createIngest, type Ingest } from '../ingest/ingest.ts'
import { ingestRoutes } from '../ingest/ingest-routes.ts'
import { createRecordWriter } from '../ingest/record-writer.ts'
import type { HttpApp } from '../schemas/http/common.ts'
import { createCompleteUntil } from '../usage/complete-until.ts'
import { createCustomerUsage } from '../usage/customer-usage.ts'
import { createUsageReader } from '../usage/usage-reader.ts'
import { createSecret } from './first-key.ts'
import { hashSecret } from './http/key-ring.ts'
import { observeLag } from './lag-metrics.ts'
import type { Config } from './settings/config.ts'
import { shareLookUps } from './shared-look-ups.ts'
import type { RoleStores, Stores } from './stores.ts'

/** What lives on behind the routes. The stages stop in the order of the pipeline, so that the last events are still aggregated. */
export type Stages = {
  /** Null where this process has not the role. */
  readonly aggregator: Aggregator | null
  /** Ends what is under way; after it nothing runs. */
  stop(): Promise<void>
}

type StageEnvironment = {
  readonly app: HttpApp
  readonly config: Config
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  readonly stores: RoleStores
}

type ViewEnvironment = Omit<StageEnvironment, 'stores'> & { readonly stores: Stores }

/** Starts the stages of this process's roles. */
export async function startStages(environment: StageEnvironment): Promise<Stages> {
  const { roles } = environment.config
  const ingest = roles.includes('ingest') ? startIngest(environment) : null
  const aggregator = roles.includes('aggregator') ? await startAggregator(withViews(environment)) : null
  const settles = roles.includes('api') ? startApi(withViews(environment), ingest?.append ?? createAppend(environment)) : null
  return {
    aggregator,
    async stop() {
      await settles?.stop()
      await ingest?.drain()
      await aggregator?.stop()
    },
  }
}

function withViews(environment: StageEnvironment): ViewEnvironment {
  const { usageStore, counters } = environment.stores
  invariant(usageStore !== null && counters !== null, 'stores of the role are open')
  return { ...environment, stores: { ...environment.stores, usageStore, counters } }
}

function startIngest({ app, config, clock, log, registry, stores }: StageEnvironment): Ingest {
  const { catalog, eventLog } = stores
  const ingest = createIngest({
    eventLog,
    resolveSubjects: (tenant, subjects) => catalog.resolveSubjects(tenant, subjects),
    clock,
    log: log.child({ stage: 'ingest' }),
    registry,
    limits: {
      requestEventsMax: config.requestEventsMax,
      packedBytesMax: config.eventPackedBytesMax,
      unpackedBytesMax: config.eventUnpackedBytesMax,
      bytesInFlightMax: config.pendingBytesMax,
    },
  })
  catalog.onChange((change) => {
    if (change.kind === 'customer') ingest.invalidateSubjects(change.tenant)
    if (change.kind === 'everything') ingest.invalidateAllSubjects()
  })
  app.register(ingestRoutes({ ingest }))
  return ingest
}

async function startAggregator({ config, clock, log, registry, stores }: ViewEnvironment): Promise<Aggregator> {
  const aggregator = createAggregator({
    ...stores,
    usageStore: shareLookUps(stores.usageStore, clock),
    clock,
    log: log.child({ stage: 'aggregator' }),
    registry,
    onUndecodable: (record, reason) => stores.eventLog.setAside(record, reason),
    options: {
      flushIntervalMs: config.flushIntervalMs,
      logRetentionMs: config.logRetentionDays * DAY_MS,
      stalledAfterMs: config.stalledAfterMs,
      drainTimeoutMs: config.drainMaxMs,
    },
  })
  observeLag(registry, aggregator)
  await aggregator.start()
  return aggregator
}

const DAY_MS = 86_400_000

/** For a process that answers apps and takes no events of theirs. */
function createAppend({ clock, stores }: StageEnvironment): ReportUsage {
  const writer = createRecordWriter({ eventLog: stores.eventLog, clock, onRecord: () => undefined })
  return (tenant, events) => appendEvents(writer, tenant, events)
}

function startApi(environment: ViewEnvironment, reportUsage: ReportUsage): SettlementWriter {
  const { app, clock, log, registry, stores } = environment
  const { catalog, counters, eventLog, usageStore } = stores
  const { partitions } = eventLog
  const entitlements = createEntitlementCache({ catalog, clock, registry })
  const catchUp = createCountersCatchUp({ counters, eventLog })
  const balances = createBalanceReader({ catalog, entitlements, counters, catchUp, clock, partitions, log, registry })
  const reporter = createSettlementWriter({ counters, catchUp, partitions, reportUsage, log: log.child({ stage: 'api' }), registry })
  // Sorted by time, so that holds made together are written together: with random ids each changed a page of its own, 165 KB a hold.
  const createId = () => `res_${clock.now().toString(36).padStart(9, '0')}${randomUUID()}`
  const reservations = createReservations({ entitlements, balances, counters, catchUp, reporter, clock, partitions, createId })
  const usageReader = createUsageReader({ usageStore, partitions })
  app.register(
    catalogRoutes({
      catalog,
      clock,
      createSecret,
      hashSecret,
      isMeterReady: usageReader.isComplete,
      onEntitlementsChanged: balances.trackCustomer,
    }),
  )
  app.register(balanceRoutes({ catalog, entitlements, balances }))
  app.register(resetRoutes({ catalog, entitlements, balances, clock }))
  app.register(decisionRoutes({ entitlements, balances, registry }))
  app.register(reservationRoutes({ reservations, registry }))
  const usageReports = createUsageReports({ entitlements, catalog, balances, reportUsage })
  app.register(usageReportRoutes({ usageReports, clock, registry, createId: () => randomUUID() }))
  app.register(rateRoutes())
  app.register(usageRoutes({ catalog, usageReader, asOf: createCompleteUntil({ eventLog, usageStore, clock }), clock }))
  app.register(invoiceRoutes({ catalog, usageReader, customerUsage: createCustomerUsage({ usageStore, clock }), clock }))
  app.register(eventRoutes({ catalog, usageStore }))
  reporter.resumeSettles().catch((error: unknown) => log.error({ err: error }, 'settled reservations not appended again'))
  return reporter
}
