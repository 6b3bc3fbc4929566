import type { Logger } from 'pino'
import type { EventLog } from '../../adapters/event-log/event-log.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import type { Usage } from '../../usage/usage.ts'
import { billingRunRoutes } from './billing-run-routes.ts'
import { type BillingRunsDeps, createBillingRuns } from './billing-runs.ts'

export type BillingRunsKit = {
  readonly clock: Clock
  readonly log: Logger
  readonly createId: () => string
  readonly stores: {
    readonly eventLog: EventLog
    readonly usageStore: UsageStore
    readonly billing: Pick<BillingRunsDeps, 'inputs' | 'cursors' | 'closedParts' | 'runs' | 'settings' | 'write'> & {
      readonly invoices: { createId: BillingRunsDeps['createInvoiceId'] }
    }
  }
  readonly usage: Pick<Usage, 'reader'>
}

/** Makes documents final, every minute and by hand. */
export function openBillingRuns({ clock, log, createId, stores, usage }: BillingRunsKit): Stage {
  const { eventLog, usageStore, billing } = stores
  const billingRuns = createBillingRuns({
    ...{ ...billing, eventLog, usageStore, clock, log, createId },
    ...{ usageReader: usage.reader, partitions: eventLog.partitions, createInvoiceId: billing.invoices.createId },
  })
  return {
    name: 'billing-runs',
    routes: billingRunRoutes({ billingRuns, clock }),
    async start() {
      billingRuns.start()
    },
    drain: () => billingRuns.drain(),
    health: () => ({ ok: true, reasons: [...billingRuns.troubles()] }),
  }
}
