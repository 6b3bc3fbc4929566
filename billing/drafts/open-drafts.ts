import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import { type DraftRoutesDeps, draftRoutes } from './draft-routes.ts'
import { openShelf, type ShelfKit } from './open-shelf.ts'

export type DraftsKit = ShelfKit & Pick<DraftRoutesDeps, 'createId'> & { readonly stores: Pick<DraftRoutesDeps, 'customers'> }

/** Documents that are not final: by hand, of subscriptions, and the sale of credits. */
export function openDrafts(kit: DraftsKit): Stage {
  const { clock, createId, stores } = kit
  return {
    name: 'drafts',
    async routes(app) {
      refuseUnstorableBodies(app)
      await draftRoutes({ ...stores.billing, customers: stores.customers, shelf: openShelf(kit), clock, createId })(app)
    },
  }
}
