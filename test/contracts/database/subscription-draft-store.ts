import { beforeEach, describe, expect, test } from 'vitest'
import type { SubscriptionDraft } from '../../../domain/billing/invoice-draft.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { catalogFixture } from './catalog-fixture.ts'

export function describeStore({ stores, time, freshTenant }: DatabaseUnderTest): void {
  describe('drafts of subscriptions', () => {
    const { subscriptionDrafts, inputs, cursors, write } = stores.billing
    let tenant: TenantKey
    const { withSubscription } = catalogFixture(stores, () => tenant)
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('what was added comes back, alone and with all that decides the documents, and is replaced', async () => {
      const { id } = await withSubscription()
      expect(await subscriptionDrafts.of(tenant, id)).toEqual([])
      await subscriptionDrafts.put(tenant, id, DRAFT)
      const changed = { ...DRAFT, isPaused: true, lines: [] }
      await subscriptionDrafts.put(tenant, id, changed)
      expect(await subscriptionDrafts.of(tenant, id)).toEqual([changed])
      expect((await inputs.read(tenant, ['acme' as CustomerKey])).drafts).toEqual(new Map([[id, [changed]]]))
      expect(await subscriptionDrafts.of('other' as TenantKey, id)).toEqual([])
    })

    test('the next run looks at the subscription anew, and one that had read it decides nothing', async () => {
      const { id } = await withSubscription()
      await subscriptionDrafts.put(tenant, id, DRAFT)
      expect(await cursors.due(tenant, time.nowMs as InstantMs, { max: 10 })).toMatchObject([{ subscription: id }])
      expect(await write((own) => own.cursors.lock(tenant, [id]))).toEqual(new Map([[id, 1]]))
    })
  })
}

const DRAFT: SubscriptionDraft = {
  ...{ closesAtMs: (START + 1_000) as InstantMs, kind: 'cycle', isPaused: false },
  lines: [{ description: 'Set-up', quantityNano: 10n ** 20n + 1n, unitAmount: '0.5' }],
}
