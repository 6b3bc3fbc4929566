import type { InvoiceDraftStore } from '../../adapters/database/invoice-drafts/invoice-draft-store.ts'
import type { InvoiceStore } from '../../adapters/database/invoices/invoice-store.ts'
import type { SubscriptionStore } from '../../adapters/database/subscriptions/subscription-store.ts'
import type { EventLog } from '../../adapters/event-log/event-log.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Usage } from '../../usage/usage.ts'
import { createDraftShelf, type DraftShelf, type DraftShelfDeps } from './draft-shelf.ts'

export type ShelfKit = {
  readonly clock: Clock
  readonly stores: {
    readonly subscriptions: Pick<SubscriptionStore, 'get'>
    readonly eventLog: EventLog
    readonly usageStore: UsageStore
    readonly billing: Pick<DraftShelfDeps, 'inputs' | 'subscriptionDrafts' | 'write'> & {
      readonly invoices: InvoiceStore
      readonly drafts: InvoiceDraftStore
    }
  }
  readonly usage: Pick<Usage, 'reader'>
}

export function openShelf({ clock, stores: { subscriptions, eventLog, usageStore, billing }, usage }: ShelfKit): DraftShelf {
  return createDraftShelf({
    ...{ ...billing, subscriptions, eventLog, usageStore, clock, usageReader: usage.reader, partitions: eventLog.partitions },
    createInvoiceId: billing.invoices.createId,
  })
}
