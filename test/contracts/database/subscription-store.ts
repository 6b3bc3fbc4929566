import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { productStretches } from '../../../domain/catalog/product-stretches.ts'
import { cancelSubscription, changePlan, uncancelSubscription } from '../../../domain/catalog/subscription.ts'
import type { CustomerKey, InstantMs, PlanKey, ProductKey, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { isRefusal, orThrow, refuse } from '../../../domain/refusal.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { catalogFixture, PRO, PRODUCT } from './catalog-fixture.ts'
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
      const subscription = await subscribe('acme', SECOND - 1_000)
      expect(subscription).toEqual({
        id: expect.any(String),
        customer: 'acme',
        startMs: SECOND - 1_000,
        anchorMs: SECOND - 1_000,
        endMs: null,
        phases: [{ plan: 'pro', planVersion: 2, startMs: SECOND - 1_000, endMs: null }],
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
      const start = { customer: 'acme' as CustomerKey, plan: PRO.plan, startMs: at(START), allowsSeveral: true }
      const atOnce = (count: number) => Promise.all(Array.from({ length: count }, () => stores.subscriptions.create(tenant, start)))
      for (let batch = 0; batch < 12; batch++) (await atOnce(8)).map(orThrow)
      expect((await atOnce(8)).filter(isRefusal).map(({ code }) => code)).toEqual(Array(5).fill('too_many_subscriptions'))
    })

    test('a start is at the beginning of its second, yet not in the time of one that has just ended', async () => {
      await withPlan()
      orThrow(await putCustomer('acme'))
      const create = async (startMs: number) =>
        orThrow(await stores.subscriptions.create(tenant, { customer: 'acme' as CustomerKey, plan: PRO.plan, startMs: at(startMs) }))
      const first = await create(SECOND + 397)
      expect(first).toMatchObject({ startMs: SECOND, anchorMs: SECOND })
      time.nowMs = SECOND + 700
      orThrow(await stores.subscriptions.update(tenant, first.id, (subscription) => cancelSubscription(subscription, at(SECOND + 700))))
      expect(await create(SECOND + 900)).toMatchObject({ startMs: SECOND + 700 })
    })

    test('an id of the caller makes one of many, also at once, and is refused for another', async () => {
      await withPlan()
      for (const key of ['acme', 'other']) orThrow(await putCustomer(key))
      const wanted = { id: 'order/7' as SubscriptionId, customer: 'acme' as CustomerKey, plan: PRO.plan }
      const made = await Promise.all(Array.from({ length: 5 }, () => stores.subscriptions.create(tenant, wanted)))
      expect(new Set(made.map((each) => orThrow(each).id))).toEqual(new Set(['order/7']))
      expect((await stores.subscriptions.list(tenant, {}, { limit: 10 })).data).toHaveLength(1)
      const { startMs } = orThrow(await stores.subscriptions.create(tenant, wanted))
      expect(isRefusal(await stores.subscriptions.create(tenant, { ...wanted, startMs }))).toBe(false)
      const others = [{ customer: 'other' as CustomerKey }, { startMs: at(startMs + 1_000) }, { anchorMs: at(startMs + 1_000) }]
      for (const change of others) {
        expect(await stores.subscriptions.create(tenant, { ...wanted, ...change })).toMatchObject({ code: 'subscription_id_taken' })
      }
    })

    test('whatever is made, ended and resumed, also at once: at no instant two subscriptions give one product', async () => {
      await withPlan()
      orThrow(await putPlan({ plan: 'team' as PlanKey }))
      await stores.products.put(tenant, { ...PRODUCT, key: 'mail' as ProductKey })
      orThrow(await putPlan({ plan: 'mail' as PlanKey, product: 'mail' as ProductKey }))
      orThrow(await putCustomer('acme'))
      const step = fc.record({
        act: fc.constantFrom('create' as const, 'end' as const, 'resume' as const, 'change' as const),
        which: fc.nat(20),
        plan: fc.constantFrom('pro', 'team', 'mail') as fc.Arbitrary<PlanKey>,
        atMs: fc.integer({ min: 1, max: 20 }).map((n) => at(START + n * 1_000)),
      })
      const ids: SubscriptionId[] = []
      const versions = [PRO, { ...PRO, plan: 'team' as PlanKey }, { ...PRO, plan: 'mail' as PlanKey, product: 'mail' as ProductKey }]
      const take = async ({ act, which, plan, atMs }: typeof step extends fc.Arbitrary<infer Step> ? Step : never) => {
        const id = ids[which % Math.max(ids.length, 1)]
        if (act === 'create' || id === undefined) {
          const made = await stores.subscriptions.create(tenant, { customer: 'acme' as CustomerKey, plan, startMs: atMs })
          if (isRefusal(made)) expect(made.code).toBe('already_subscribed')
          else ids.push(made.id)
          return
        }
        await stores.subscriptions.update(tenant, id, (subscription) => {
          if (act === 'end') return cancelSubscription(subscription, atMs)
          return act === 'resume' ? uncancelSubscription(subscription, at(START)) : changePlan(subscription, { plan, planVersion: 1 }, atMs)
        })
      }
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { maxLength: 8 }), async (rounds) => {
          for (const together of rounds) await Promise.all(together.map(take))
          const { data } = await stores.subscriptions.list(tenant, { customer: 'acme' as CustomerKey }, { limit: 1_000 })
          const given = data
            .flatMap((each) =>
              productStretches(
                each,
                versions.map((version) => ({ ...version, version: 1 })),
                at(0),
              ),
            )
            .sort((a, b) => (a.product < b.product ? -1 : a.product > b.product ? 1 : a.startMs - b.startMs))
          for (const [index, { product, startMs }] of given.entries()) {
            const before = given[index - 1]
            if (before?.product === product) expect(startMs).toBeGreaterThanOrEqual(before.endMs)
          }
          expect(new Set(data.map(({ id }) => id)).size).toBe(data.length)
        }),
        { numRuns: 15 },
      )
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
/** Subscriptions begin on whole seconds. */
const SECOND = START - (START % 1_000)
