import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { ChangeFeed } from '../adapters/database/changes.ts'
import type { CustomerStore } from '../adapters/database/customers/customer-store.ts'
import type { MeterStore } from '../adapters/database/meters/meter-store.ts'
import type { ModelCostStore } from '../adapters/database/model-costs/model-cost-store.ts'
import type { Clock } from '../base/clock.ts'
import type { Stage } from '../schemas/http/stage.ts'
import type { CustomerNames } from '../usage/customer-names.ts'
import type { ViewWaits } from '../usage/view-waits.ts'
import { createFindFormerCustomers, type FormerCustomersDeps } from './former-customers.ts'
import { createIngest } from './ingest.ts'
import { ingestRoutes } from './ingest-routes.ts'
import type { RecordWriter } from './record-writer.ts'

export type IngestKit = {
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  readonly config: {
    readonly requestEventsMax: number
    readonly eventPackedBytesMax: number
    readonly eventUnpackedBytesMax: number
    readonly pendingBytesMax: number
  }
  readonly stores: {
    readonly customers: Pick<CustomerStore, 'similar'>
    readonly meters: Pick<MeterStore, 'ofTenant'>
    readonly modelCosts: Pick<ModelCostStore, 'ofTenant'>
    readonly changes: Pick<ChangeFeed, 'subscribe'>
  }
  readonly recordWriter: RecordWriter
  readonly customerNames: CustomerNames
  /** Null in a process that has no usage store. */
  readonly keptEvents: Pick<FormerCustomersDeps, 'usageStore' | 'completeUntil'> | null
  readonly viewWaits: Pick<ViewWaits, 'counted'> | null
}

/** The stage between HTTP and the event log. */
export function openIngest({ clock, log, registry, config, stores, recordWriter, customerNames, keptEvents, viewWaits }: IngestKit): Stage {
  const { customers, meters, modelCosts, changes } = stores
  const ingest = createIngest({
    writer: recordWriter,
    names: customerNames,
    findFormerCustomers: keptEvents === null ? null : createFindFormerCustomers({ ...keptEvents, clock }),
    metersOf: meters.ofTenant,
    modelCostsOf: modelCosts.ofTenant,
    findSimilarCustomers: customers.similar,
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
  changes.subscribe({
    topics: ['meters', 'model_costs'],
    changed: ({ tenant, topic }) => (topic === 'meters' ? ingest.invalidateMeters(tenant) : ingest.invalidateCosts(tenant)),
    missed: ingest.invalidateAll,
  })
  return { name: 'ingest', routes: ingestRoutes({ ingest, waits: viewWaits }), drain: ingest.drain }
}
