import { beforeEach, describe, expect, test } from 'vitest'
import type { CouponDefinition } from '../../../domain/billing/coupon-definition.ts'
import type { CustomerKey, FeatureKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import { isRefusal } from '../../../domain/refusal.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { catalogFixture, PRO } from './catalog-fixture.ts'
import { everyPage } from './every-page.ts'

export function describeStore({ stores, time, freshTenant }: DatabaseUnderTest): void {
  describe('coupons', () => {
    const { coupons, inputs, write } = stores.billing
    let tenant: TenantKey
    const { withSubscription, putCustomer } = catalogFixture(stores, () => tenant)
    beforeEach(() => {
      tenant = freshTenant()
    })
    const subscribe = (customer: string, keys: readonly string[]) =>
      stores.subscriptions.create(tenant, { customer: customer as CustomerKey, plan: PRO.plan, coupons: keys, allowsSeveral: true })

    test('a coupon is created, same or changed, with all of its terms, and of its tenant alone', async () => {
      expect(await coupons.put(tenant, COUPON)).toMatchObject({ value: COUPON, result: 'created' })
      expect(await coupons.put(tenant, { ...COUPON })).toMatchObject({ value: COUPON, result: 'same' })
      const changed: CouponDefinition = { ...COUPON, off: { percent: '12.5' }, features: ['tokens' as FeatureKey], invoices: null }
      expect(await coupons.put(tenant, changed)).toMatchObject({ value: changed, result: 'changed' })
      expect(await coupons.get(tenant, COUPON.key)).toMatchObject(changed)
      expect(await coupons.get('other' as TenantKey, COUPON.key)).toBeNull()
    })

    test('pages hold every coupon once, in the order of their keys', async () => {
      for (const key of ['b', 'a', 'C']) await coupons.put(tenant, { ...COUPON, key })
      expect(await everyPage((page) => coupons.list(tenant, page), 2)).toEqual(['C', 'a', 'b'])
    })

    test('uses add up by subscription, are given back, and are never below none', async () => {
      const { id } = await withSubscription()
      await coupons.put(tenant, COUPON)
      const reduced = await subscribe('acme', [COUPON.key])
      if (isRefusal(reduced)) throw new Error(reduced.code)
      const use = (uses: number) => write((own) => own.coupons.use(tenant, [{ coupon: COUPON.key, subscription: reduced.id, uses }]))
      await use(2)
      await use(-1)
      const uses = async () => [...(await inputs.read(tenant, ['acme' as CustomerKey])).couponUses]
      expect(await uses()).toEqual([[`${reduced.id} ${COUPON.key}`, 1]])
      await expect(use(-2)).rejects.toThrow(/check/)
      expect((await uses()).map(([name]) => name)).not.toContain(`${id} ${COUPON.key}`)
    })

    test('of 10 subscriptions at once no more have a coupon than may, and none from its end on', async () => {
      await withSubscription()
      await coupons.put(tenant, { ...COUPON, usesMax: 3, redeemByMs: (START + 1_000) as InstantMs })
      for (let n = 0; n < 10; n++) await putCustomer(`c${n}`)
      const made = await Promise.all(Array.from({ length: 10 }, (_, n) => subscribe(`c${n}`, [COUPON.key])))
      expect(made.filter((each) => !isRefusal(each))).toHaveLength(3)
      expect(made.filter(isRefusal).map(({ code }) => code)).toEqual(Array(7).fill('coupon_ended'))
      await coupons.put(tenant, { ...COUPON, key: 'timely', redeemByMs: (START + 1_000) as InstantMs })
      time.nowMs = START + 1_000
      expect(await subscribe('c0', ['timely'])).toMatchObject({ code: 'coupon_ended' })
      expect(await subscribe('c0', ['none'])).toMatchObject({ code: 'unknown_coupon' })
    })
  })
}

const COUPON: CouponDefinition = {
  ...{ key: 'welcome', off: { amount: '5.00', currency: 'EUR' }, features: null, invoices: 3, redeemByMs: null, usesMax: null },
}
