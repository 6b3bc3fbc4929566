import { beforeEach, describe, expect, test } from 'vitest'
import type { CustomerKey, InstantMs, PlanKey, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { isRefusal, orThrow, refuse } from '../../../domain/refusal.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { catalogFixture, PRO } from './catalog-fixture.ts'
import { everyPage } from './every-page.ts'

export function describeStore({ stores, time, freshTenant, heardOf }: DatabaseUnderTest): void {
  describe('subscriptions', () => {
    let tenant: TenantKey
    const heard = heardOf('subscriptions')
    const { putPlan, putCustomer, subscribe, withPlan, withSubscription } = catalogFixture(stores, () => tenant)
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('starts on the latest version of its plan and is found by id and customer', async () => {
      await withPlan()
      orThrow(await putPlan({ baseFee: '30' }))
      orThrow(await putCustomer('acme'))
      const subscription = await subscribe('acme', START - 1)
      expect(subscription).toEqual({
        id: expect.any(String),
        customer: 'acme',
        startMs: START - 1,
        anchorMs: START - 1,
        endMs: null,
        phases: [{ plan: 'pro', planVersion: 2, startMs: START - 1, endMs: null }],
      })
      expect(await stores.subscriptions.get(tenant, subscription.id)).toEqual(subscription)
      expect(await stores.subscriptions.get('other' as TenantKey, subscription.id)).toBeNull()
      expect(heard.at(-1)).toEqual({ tenant, topic: 'subscriptions', key: 'acme' })
      const all = [subscription.id]
      for (let n = 0; n < 4; n++) {
        time.nowMs++
        all.push((await subscribe()).id)
      }
      orThrow(await putCustomer('other'))
      await subscribe('other')
      const ofAcme = (page: { limit: number; cursor?: string }) =>
        stores.subscriptions.list(tenant, { customer: 'acme' as CustomerKey }, page)
      expect(await everyPage(ofAcme, 2)).toEqual(all)
      expect((await stores.subscriptions.list(tenant, {}, { limit: 100 })).data).toHaveLength(6)
    })

    test('an unknown customer or plan is refused', async () => {
      await withPlan()
      const start = { startMs: at(START), anchorMs: at(START) }
      expect(await stores.subscriptions.create(tenant, { customer: 'nobody' as CustomerKey, plan: PRO.plan, ...start })).toMatchObject({
        code: 'unknown_customer',
        errors: [{ field: 'customer', refusal: { fields: { customer: 'nobody' } } }],
      })
      orThrow(await putCustomer('acme'))
      const unknown = await stores.subscriptions.create(tenant, { customer: 'acme' as CustomerKey, plan: 'nowhere' as PlanKey, ...start })
      expect(unknown).toMatchObject({ code: 'unknown_plan', errors: [{ field: 'plan', refusal: { fields: { plan: 'nowhere' } } }] })
    })

    test('of one customer there are 100 open ones at most, also when asked for at once', async () => {
      await withSubscription()
      const start = { customer: 'acme' as CustomerKey, plan: PRO.plan, startMs: at(START), anchorMs: at(START) }
      const made = await Promise.all(Array.from({ length: 101 }, () => stores.subscriptions.create(tenant, start)))
      expect(made.filter(isRefusal)).toMatchObject([{ code: 'too_many_subscriptions' }, { code: 'too_many_subscriptions' }])
    })

    test('an update is decided from what stands, and none is lost', async () => {
      const { id } = await withSubscription()
      orThrow(await putPlan({ baseFee: '30' }))
      const cancelled = await stores.subscriptions.update(tenant, id, (subscription, planVersions) => {
        expect(planVersions).toEqual([{ ...PRO, version: 1 }])
        const [phase] = subscription.phases
        if (phase === undefined) throw new Error('a subscription has a phase')
        const phases = [
          { ...phase, endMs: at(START + 5) },
          { plan: PRO.plan, planVersion: 2, startMs: at(START + 5), endMs: null },
        ]
        return { ...subscription, endMs: at(START + 10), phases }
      })
      expect(cancelled).toMatchObject({ endMs: START + 10, phases: [{ endMs: START + 5 }, { planVersion: 2 }] })
      expect(await stores.subscriptions.get(tenant, id)).toEqual(cancelled)
      const later = () =>
        stores.subscriptions.update(tenant, id, (subscription) => ({ ...subscription, endMs: at((subscription.endMs ?? 0) + 1) }))
      await Promise.all(Array.from({ length: 20 }, later))
      expect(await stores.subscriptions.get(tenant, id)).toMatchObject({ endMs: START + 30 })
      expect(await stores.subscriptions.update(tenant, id, () => refuse('no_period_end', { subscription: id }))).toMatchObject({
        code: 'no_period_end',
      })
      expect(await stores.subscriptions.update(tenant, 'sub_none' as SubscriptionId, (subscription) => subscription)).toBeNull()
    })
  })
}

const at = (ms: number) => ms as InstantMs
