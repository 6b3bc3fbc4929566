import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import { openShelf, type ShelfKit } from '../drafts/open-shelf.ts'
import { type LineRoutesDeps, lineRoutes } from '../lines/line-routes.ts'
import { type ChangeRoutesDeps, changeRoutes } from './change-routes.ts'
import { documentRoutes } from './document-routes.ts'

export type DocumentsKit = ShelfKit & {
  readonly stores: {
    readonly usageStore: UsageStore
    readonly meters: LineRoutesDeps['meters']
    readonly invoiceInputs: LineRoutesDeps['invoiceInputs']
    readonly billing: { readonly write: ChangeRoutesDeps['write'] }
  }
}

/** Documents that were made final, and what can be asked and done about them. */
export function openDocuments(kit: DocumentsKit): Stage {
  const {
    clock,
    stores: { usageStore, meters, invoiceInputs, billing },
    usage,
  } = kit
  return {
    name: 'documents',
    async routes(app) {
      refuseUnstorableBodies(app)
      await documentRoutes({ invoices: billing.invoices, shelf: openShelf(kit) })(app)
      await lineRoutes({ invoices: billing.invoices, usageStore, meters, invoiceInputs, usageReader: usage.reader })(app)
      await changeRoutes({ write: billing.write, clock })(app)
    },
  }
}
