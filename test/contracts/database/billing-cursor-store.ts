import { beforeEach, describe, expect, test } from 'vitest'
import type { CursorMove } from '../../../adapters/database/billing-cursors/billing-cursor-store.ts'
import { nothingBilled } from '../../../domain/billing/billed.ts'
import type { BillingBook } from '../../../domain/billing/billing-book.ts'
import type { CustomerKey, InstantMs, PlanKey, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { orThrow } from '../../../domain/refusal.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { catalogFixture } from './catalog-fixture.ts'

export function describeStore({ stores, time, freshTenant }: DatabaseUnderTest): void {
  describe('billing cursors', () => {
    const { cursors, inputs, write } = stores.billing
    let tenant: TenantKey
    const { putCustomer, subscribe, withSubscription } = catalogFixture(stores, () => tenant)
    beforeEach(() => {
      tenant = freshTenant()
    })
    const dueIds = async (atMs: number, customers?: readonly string[]) =>
      (await cursors.due(tenant, atMs as InstantMs, { max: 100, ...(customers && { customers: customers as CustomerKey[] }) })).map(
        ({ subscription }) => subscription,
      )
    const moveTo = (subscription: SubscriptionId, fromVersion: number, more: Partial<CursorMove> = {}) =>
      write(({ cursors }) => cursors.move(tenant, [{ subscription, fromVersion, to: BOOK, nextDueMs: LATER, ...more }]))

    test('a subscription is due from its start, in the order of customers, until its cursor moves', async () => {
      const { id } = await withSubscription()
      orThrow(await putCustomer('aaa'))
      const first = await subscribe('aaa')
      expect(await dueIds(first.startMs - 1)).toEqual([])
      expect(await dueIds(START)).toEqual([first.id, id])
      expect(await dueIds(START, ['acme'])).toEqual([id])
      expect(await cursors.tenantsDue(START as InstantMs)).toContain(tenant)
      await moveTo(id, 0)
      expect(await dueIds(LATER - 1)).toEqual([first.id])
      expect(await dueIds(LATER)).toEqual([first.id, id])
      await moveTo(first.id, 0, { nextDueMs: null })
      expect(await dueIds(LATER)).toEqual([id])
    })

    test('what is billed comes back to the last digit', async () => {
      const { id } = await withSubscription()
      await moveTo(id, 0)
      expect((await inputs.read(tenant, ['acme' as CustomerKey])).books.get(id)).toEqual(BOOK)
    })

    test('a cursor that stands elsewhere is not moved: nobody bills from a state that has gone', async () => {
      const { id } = await withSubscription()
      await moveTo(id, 0)
      await expect(moveTo(id, 0)).rejects.toThrow(/locked/)
      expect(await write(({ cursors }) => cursors.lock(tenant, [id]))).toEqual(new Map([[id, 1]]))
    })

    test('a customer whose grace changed is looked at by the next run', async () => {
      const { id } = await withSubscription()
      await moveTo(id, 0)
      expect(await dueIds(START)).toEqual([])
      orThrow(await putCustomer('acme', { graceMs: 0 }))
      expect(await dueIds(START)).toEqual([id])
    })

    test('a change of the subscription is looked at by the next run, and by none that has read it before', async () => {
      const { id } = await withSubscription()
      await moveTo(id, 0)
      time.nowMs = START + 10
      orThrow(await stores.subscriptions.update(tenant, id, (subscription) => ({ ...subscription, endMs: LATER })))
      expect(await dueIds(START + 10)).toEqual([id])
      await expect(moveTo(id, 1)).rejects.toThrow(/locked/)
    })
  })
}

const LATER = (START + 1_000) as InstantMs
const BOOK: BillingBook = {
  cursor: { baseBilledToMs: LATER, usageBilledToMs: START as InstantMs, version: 1 },
  baseFees: [],
  parts: [
    {
      ...{ plan: 'pro' as PlanKey, planVersion: 1, cell: { startMs: START as InstantMs, endMs: LATER } },
      ...{ period: { startMs: START as InstantMs, endMs: LATER }, countedAtMs: LATER, cutOff: { partition: 3, offset: 12 } },
      items: new Map([['charge:eu', { quantityNano: 10n ** 20n + 1n, billed: nothingBilled([]) }]]),
    },
  ],
  committed: null,
}
