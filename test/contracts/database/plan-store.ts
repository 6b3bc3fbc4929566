import { beforeEach, describe, expect, test } from 'vitest'
import type { PlanKey, TenantKey } from '../../../domain/identity.ts'
import { orThrow } from '../../../domain/refusal.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { catalogFixture, PRO, PRODUCT } from './catalog-fixture.ts'

export function describeStore({ stores, freshTenant }: DatabaseUnderTest): void {
  describe('plans', () => {
    let tenant: TenantKey
    const { putPlan, withPlan } = catalogFixture(stores, () => tenant)
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('a plan needs its product and features', async () => {
      expect(await putPlan()).toMatchObject({ code: 'unknown_product', errors: [{ field: 'product' }] })
      await stores.products.put(tenant, PRODUCT)
      expect(await putPlan()).toMatchObject({
        code: 'unknown_feature',
        errors: [{ field: 'charges[0].feature' }, { field: 'entitlements[0].feature' }],
      })
      expect(await stores.plans.get(tenant, PRO.plan)).toBeNull()
    })

    test('a change makes the next version and older ones stay', async () => {
      expect(await withPlan()).toEqual({ result: 'created', value: { ...PRO, version: 1, ...MADE } })
      expect(await putPlan()).toEqual({ result: 'same', value: { ...PRO, version: 1, ...MADE } })
      expect(await putPlan({ baseFee: '30' })).toMatchObject({ result: 'changed', value: { version: 2 } })
      expect(await stores.plans.get(tenant, PRO.plan)).toMatchObject({ version: 2, baseFee: '30' })
      expect(await stores.plans.get(tenant, PRO.plan, 1)).toMatchObject({ ...PRO, version: 1 })
      expect(await stores.plans.get(tenant, PRO.plan, 3)).toBeNull()
      orThrow(await putPlan({ plan: 'free' as PlanKey }))
      const page = await stores.plans.list(tenant, { limit: 10 })
      expect(page.data.map(({ plan, version }) => `${plan} ${version}`)).toEqual(['free 1', 'pro 2'])
    })

    test('50 equal puts at once make one version, 50 different ones make 50', async () => {
      await withPlan()
      const equal = await Promise.all(Array.from({ length: 50 }, () => putPlan({ baseFee: '99' })))
      expect(equal.map((put) => orThrow(put).value.version)).toEqual(Array(50).fill(2))
      expect(equal.filter((put) => orThrow(put).result === 'changed')).toHaveLength(1)
      const different = await Promise.all(Array.from({ length: 50 }, (_, n) => putPlan({ baseFee: `${n}` })))
      expect(different.map((put) => orThrow(put).value.version).sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => n + 3))
    })
  })
}

const MADE = { createdMs: START, updatedMs: START, archivedMs: null }
