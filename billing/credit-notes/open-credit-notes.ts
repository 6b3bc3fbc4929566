import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import { type CreditNoteRoutesDeps, creditNoteRoutes } from './credit-note-routes.ts'

export type CreditNotesKit = Pick<CreditNoteRoutesDeps, 'clock'> & {
  readonly stores: { readonly billing: Omit<CreditNoteRoutesDeps, 'clock'> }
}

/** Documents in the customer's favour. */
export function openCreditNotes({ clock, stores: { billing } }: CreditNotesKit): Stage {
  return {
    name: 'credit-notes',
    async routes(app) {
      refuseUnstorableBodies(app)
      await creditNoteRoutes({ ...billing, clock })(app)
    },
  }
}
