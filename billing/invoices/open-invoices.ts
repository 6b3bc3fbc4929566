import type { Catalog } from '../../adapters/database/catalog.ts'
import type { Clock } from '../../base/clock.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import type { Usage } from '../../usage/usage.ts'
import { invoiceRoutes } from './invoice-routes.ts'

export type InvoiceKit = {
  readonly clock: Clock
  readonly stores: { readonly catalog: Pick<Catalog, 'invoiceInputs'> }
  readonly usage: Pick<Usage, 'reader' | 'customers'>
}

export function openInvoices({ clock, stores: { catalog }, usage }: InvoiceKit): Stage {
  return { name: 'invoices', routes: invoiceRoutes({ catalog, usageReader: usage.reader, customerUsage: usage.customers, clock }) }
}
