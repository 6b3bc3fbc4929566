import type { InvoiceInputsReader } from '../../adapters/database/invoices/invoice-inputs-reader.ts'
import type { SubscriptionStore } from '../../adapters/database/subscriptions/subscription-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import type { Usage } from '../../usage/usage.ts'
import { invoiceRoutes } from './invoice-routes.ts'
import { createUpcomingInvoices } from './upcoming-invoice.ts'

export type InvoiceKit = {
  readonly clock: Clock
  readonly stores: { readonly invoiceInputs: InvoiceInputsReader; readonly subscriptions: Pick<SubscriptionStore, 'list'> }
  readonly usage: Pick<Usage, 'reader'>
}

export function openInvoices({ clock, stores: { invoiceInputs, subscriptions }, usage }: InvoiceKit): Stage {
  const upcomingInvoices = createUpcomingInvoices({ invoiceInputs, usageReader: usage.reader, clock })
  return { name: 'invoices', routes: invoiceRoutes({ upcomingInvoices, subscriptions, clock }) }
}
