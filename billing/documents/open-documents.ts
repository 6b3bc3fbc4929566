import type { InvoiceStore } from '../../adapters/database/invoices/invoice-store.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import { type ChangeRoutesDeps, changeRoutes } from './change-routes.ts'
import { documentRoutes } from './document-routes.ts'

export type DocumentsKit = {
  readonly clock: Clock
  readonly stores: {
    readonly usageStore: UsageStore
    readonly billing: { readonly invoices: InvoiceStore; readonly write: ChangeRoutesDeps['write'] }
  }
}

/** Documents that were made final, and what can be asked and done about them. */
export function openDocuments({ clock, stores: { usageStore, billing } }: DocumentsKit): Stage {
  return {
    name: 'documents',
    async routes(app) {
      refuseUnstorableBodies(app)
      await documentRoutes({ invoices: billing.invoices, usageStore })(app)
      await changeRoutes({ write: billing.write, clock })(app)
    },
  }
}
