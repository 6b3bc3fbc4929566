import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import type { Usage } from '../../usage/usage.ts'
import { type CreditRoutesDeps, creditRoutes } from './credit-routes.ts'
import { type WalletRoutesDeps, walletRoutes } from './wallet-routes.ts'

export type CreditsKit = Pick<CreditRoutesDeps, 'clock' | 'createId'> & {
  readonly stores: {
    readonly customers: CreditRoutesDeps['customers']
    readonly billing: Pick<CreditRoutesDeps, 'credits' | 'settings' | 'write'> & Pick<WalletRoutesDeps, 'inputs' | 'ledger' | 'wallets'>
  }
  readonly usage: Pick<Usage, 'reader'>
}

/** Prepaid and given money. */
export function openCredits({ clock, createId, stores: { customers, billing }, usage }: CreditsKit): Stage {
  return {
    name: 'credits',
    async routes(app) {
      refuseUnstorableBodies(app)
      await creditRoutes({ customers, credits: billing.credits, settings: billing.settings, write: billing.write, clock, createId })(app)
      await walletRoutes({ ...billing, customers, clock, usageReader: usage.reader })(app)
    },
  }
}
