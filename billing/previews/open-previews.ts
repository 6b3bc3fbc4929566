import type { EventLog } from '../../adapters/event-log/event-log.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import type { Usage } from '../../usage/usage.ts'
import { createInvoicePreviews, type InvoicePreviewsDeps } from './invoice-previews.ts'
import { previewRoutes } from './preview-routes.ts'

export type PreviewsKit = {
  readonly clock: Clock
  readonly stores: Pick<InvoicePreviewsDeps, 'subscriptions' | 'plans'> & {
    readonly eventLog: Pick<EventLog, 'partitions'>
    readonly usageStore: UsageStore
    readonly billing: Pick<InvoicePreviewsDeps, 'inputs'>
  }
  readonly usage: Pick<Usage, 'reader'>
}

/** What would be billed, by the decisions of runs. */
export function openPreviews({ clock, stores, usage }: PreviewsKit): Stage {
  const { subscriptions, plans, eventLog, usageStore, billing } = stores
  const deps = {
    subscriptions,
    plans,
    clock,
    usageStore,
    inputs: billing.inputs,
    usageReader: usage.reader,
    partitions: eventLog.partitions,
  }
  return { name: 'previews', routes: previewRoutes({ previews: createInvoicePreviews(deps), clock }) }
}
