import type { InvoiceStore } from '../../adapters/database/invoices/invoice-store.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import type { Usage } from '../../usage/usage.ts'
import { type LineRoutesDeps, lineRoutes } from '../lines/line-routes.ts'
import { type ChangeRoutesDeps, changeRoutes } from './change-routes.ts'
import { type DocumentRoutesDeps, documentRoutes } from './document-routes.ts'

export type DocumentsKit = {
  readonly clock: Clock
  readonly stores: {
    readonly usageStore: UsageStore
    readonly meters: LineRoutesDeps['meters']
    readonly invoiceInputs: LineRoutesDeps['invoiceInputs']
    readonly billing: Pick<DocumentRoutesDeps, 'drafts' | 'inputs'> & {
      readonly invoices: InvoiceStore
      readonly write: ChangeRoutesDeps['write']
    }
  }
  readonly usage: Pick<Usage, 'reader'>
}

/** Documents that were made final, and what can be asked and done about them. */
export function openDocuments({ clock, stores: { usageStore, meters, invoiceInputs, billing }, usage }: DocumentsKit): Stage {
  return {
    name: 'documents',
    async routes(app) {
      refuseUnstorableBodies(app)
      await documentRoutes({ ...billing, clock })(app)
      await lineRoutes({ invoices: billing.invoices, usageStore, meters, invoiceInputs, usageReader: usage.reader })(app)
      await changeRoutes({ write: billing.write, clock })(app)
    },
  }
}
