import type { LicenseSigningKeyStore } from '../adapters/database/license-signing-keys/license-signing-key-store.ts'
import type { Cancel } from '../base/clock.ts'
import type { Stage } from '../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../schemas/http/storable-text.ts'
import { checkoutRoutes } from './checkout/checkout-routes.ts'
import { endCheckoutsInTime } from './checkout/end-checkouts.ts'
import { pageRoutes } from './checkout/page-routes.ts'
import { downloadRoutes } from './downloads/download-routes.ts'
import { linkRoutes } from './downloads/link-routes.ts'
import { licenseRoutes } from './licenses/license-routes.ts'
import { createLicenseTokens } from './licenses/license-tokens.ts'
import { machineRoutes } from './licenses/machine-routes.ts'
import { policyRoutes } from './licenses/policy-routes.ts'
import { createWrongLicenseKeys } from './licenses/wrong-keys.ts'
import { orderRoutes } from './orders/order-routes.ts'
import { styleRoutes } from './pages/style.ts'
import { noticeRoutes } from './payments/notice-routes.ts'
import { testPageRoutes } from './payments/test-page-routes.ts'
import type { SellingKit } from './selling-kit.ts'

export type CommerceKit = SellingKit & { readonly signingKeys: LicenseSigningKeyStore }

/** Selling: from a price on a page to what the customer holds. */
export function openCommerce(kit: CommerceKit): Stage {
  const tokens = createLicenseTokens(kit.signingKeys, kit.vault, kit.publicUrl ?? 'tollgate')
  const wrongKeys = createWrongLicenseKeys(kit.clock)
  let stopEnding: Cancel | null = null
  return {
    name: 'commerce',
    async routes(app) {
      app.register(async (own) => {
        refuseUnstorableBodies(own)
        await checkoutRoutes(kit)(own)
        await orderRoutes(kit)(own)
        await policyRoutes(kit.stores)(own)
        await licenseRoutes(kit)(own)
        await machineRoutes({ ...kit, tokens, wrongKeys })(own)
      })
      app.register(async (own) => {
        refuseUnstorableBodies(own)
        await downloadRoutes(kit)(own)
      })
      app.register(linkRoutes(kit))
      app.register(styleRoutes)
      app.register(pageRoutes(kit))
      app.register(noticeRoutes(kit))
      if (kit.payments.name === 'test') app.register(testPageRoutes(kit))
    },
    async start() {
      stopEnding = endCheckoutsInTime(kit)
    },
    async stop() {
      stopEnding?.()
      await kit.files.stop()
    },
  }
}
