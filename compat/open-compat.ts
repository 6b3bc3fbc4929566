import type { CompatRecordStore } from '../adapters/database/compat/compat-record-store.ts'
import type { HttpApp } from '../schemas/http/common.ts'
import type { Stage } from '../schemas/http/stage.ts'
import type { ViewWaits } from '../usage/view-waits.ts'
import { createOwnRoutes } from './own-routes.ts'
import type { VendorKit } from './vendor.ts'
import { VENDORS } from './vendors.ts'

export type CompatKit = Omit<VendorKit, 'own' | 'waits' | 'records'> & {
  readonly usage: { readonly waits: ViewWaits }
  readonly stores: { readonly compatRecords: CompatRecordStore }
}

/** Other vendors' shapes on our own routes: a team moves by changing the URL that its SDK calls. */
export function openCompat({ clock, createId, usage: { waits }, stores }: CompatKit): Stage {
  return {
    name: 'compat',
    async routes(app) {
      const own = createOwnRoutes(app)
      for (const { name, routes } of VENDORS) {
        app.register(
          async (vendor: HttpApp) => {
            keepOutOfReference(vendor)
            await routes({ own, records: stores.compatRecords, waits, clock, createId })(vendor)
          },
          { prefix: `/compat/${name}` },
        )
      }
    },
  }
}

/** The OpenAPI document is of our own contract; each vendor has documents of its own. */
function keepOutOfReference(app: HttpApp): void {
  app.addHook('onRoute', (route) => {
    route.schema = { ...route.schema, hide: true } as object
  })
}
