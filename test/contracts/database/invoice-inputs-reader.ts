import { beforeEach, describe, expect, test } from 'vitest'
import type { SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { orThrow } from '../../../domain/refusal.ts'
import type { DatabaseUnderTest } from '../database-under-test.ts'
import { catalogFixture, PRO, TOKENS, TOKENS_FEATURE, TOKENS_METER } from './catalog-fixture.ts'

export function describeStore({ stores, freshTenant }: DatabaseUnderTest): void {
  describe('invoice inputs', () => {
    let tenant: TenantKey
    const { putPlan, subscribe, withSubscription } = catalogFixture(stores, () => tenant)
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('invoice inputs hold everything that decides the bills of many subscriptions, without those that do not exist', async () => {
      const first = await withSubscription()
      orThrow(await putPlan({ baseFee: '30' }))
      const second = await subscribe()
      const third = await subscribe()
      const ids = [second.id, 'sub_none' as SubscriptionId, first.id]
      const inputs = await stores.invoiceInputs.read(tenant, ids)
      expect(inputs.subscriptions, 'with the others of their customers').toEqual(
        new Map([first, second, third].map((subscription) => [subscription.id, subscription])),
      )
      expect(inputs.planVersions.toSorted((a, b) => a.version - b.version)).toEqual([
        { ...PRO, version: 1 },
        { ...PRO, version: 2, baseFee: '30' },
      ])
      expect(inputs.features).toEqual([TOKENS_FEATURE])
      expect(inputs.meters).toMatchObject([{ key: TOKENS, ...TOKENS_METER }])
      expect((await stores.invoiceInputs.read(tenant, [third.id])).subscriptions.size).toBe(3)
      const nothing = { subscriptions: new Map(), planVersions: [], features: [], meters: [] }
      expect(await stores.invoiceInputs.read('other' as TenantKey, ids)).toEqual(nothing)
      expect(await stores.invoiceInputs.read(tenant, [])).toEqual(nothing)
    })
  })
}
