import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import { type DraftRoutesDeps, draftRoutes } from './draft-routes.ts'

export type DraftsKit = Pick<DraftRoutesDeps, 'clock' | 'createId'> & {
  readonly stores: {
    readonly customers: DraftRoutesDeps['customers']
    readonly billing: Pick<DraftRoutesDeps, 'inputs' | 'invoices' | 'drafts' | 'write'>
  }
}

/** Documents by hand, and the sale of credits. */
export function openDrafts({ clock, createId, stores: { customers, billing } }: DraftsKit): Stage {
  return {
    name: 'drafts',
    async routes(app) {
      refuseUnstorableBodies(app)
      await draftRoutes({ ...billing, customers, clock, createId })(app)
    },
  }
}
