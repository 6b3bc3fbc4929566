import type { InvoiceStore } from '../../adapters/database/invoices/invoice-store.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { documentRoutes } from './document-routes.ts'

export type DocumentsKit = {
  readonly stores: { readonly usageStore: UsageStore; readonly billing: { readonly invoices: InvoiceStore } }
}

/** Documents that were made final, and what can be asked and done about them. */
export function openDocuments({ stores: { usageStore, billing } }: DocumentsKit): Stage {
  return { name: 'documents', routes: documentRoutes({ invoices: billing.invoices, usageStore }) }
}
