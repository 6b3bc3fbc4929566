import type { CouponStore } from '../../adapters/database/coupons/coupon-store.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import { couponRoutes } from './coupon-routes.ts'

/** What lowers the documents of the subscriptions that have it. */
export function openCoupons(coupons: CouponStore): Stage {
  return {
    name: 'coupons',
    async routes(app) {
      refuseUnstorableBodies(app)
      await couponRoutes({ coupons })(app)
    },
  }
}
