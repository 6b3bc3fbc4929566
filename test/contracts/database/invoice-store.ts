import { sql } from 'kysely'
import { beforeEach, describe, expect, test } from 'vitest'
import type { StoredInvoice } from '../../../adapters/database/invoices/invoice-store.ts'
import type { Money } from '../../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { refuse } from '../../../domain/refusal.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { everyPage } from './every-page.ts'

export function describeStore({ stores, session, freshTenant }: DatabaseUnderTest): void {
  describe('invoices', () => {
    const { invoices, write } = stores.billing
    let tenant: TenantKey
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('a document comes back as it was made, with exact money, and the newest of a subscription is found', async () => {
      const first = invoice({ due: (10n ** 19n) as Money, undo: { burned: 5n, items: new Map([['a', 1n]]) } })
      const second = invoice({ id: 'inv_2', decision: 2, customer: 'other' as CustomerKey, closesAtMs: (START + 1) as InstantMs })
      await invoices.append(tenant, [first, second])
      expect(await invoices.get(tenant, first.id)).toEqual(first)
      expect(await invoices.newest(tenant, first.subscription ?? ('' as SubscriptionId))).toEqual(second)
      expect(await invoices.get('other' as TenantKey, first.id)).toBeNull()
      const all = (filter: Parameters<typeof invoices.list>[1]) => everyPage((page) => invoices.list(tenant, filter, page), 1)
      expect(await all({})).toEqual([first.id, second.id])
      expect(await all({ customer: second.customer })).toEqual([second.id])
      expect(await all({ fromMs: first.closesAtMs, toMs: second.closesAtMs })).toEqual([first.id])
      expect(await all({ status: 'paid' })).toEqual([])
    })

    test('from one state of a subscription one document is made', async () => {
      await invoices.append(tenant, [invoice({})])
      await expect(invoices.append(tenant, [invoice({ id: 'inv_again' })])).rejects.toThrow(/duplicate/)
    })

    test('what is final stays: payment moves on, and content, number and hash do not', async () => {
      await invoices.append(tenant, [invoice({})])
      await invoices.settle(tenant, 'inv_1', { status: 'paid', due: 0n as Money, paid: 100n as Money })
      expect(await invoices.get(tenant, 'inv_1')).toMatchObject({ status: 'paid', due: 0n, paid: 100n })
      for (const change of [
        sql`UPDATE invoices SET record = '{}' WHERE tenant = ${tenant}`,
        sql`UPDATE invoices SET content_hash = 'x' WHERE tenant = ${tenant}`,
        sql`DELETE FROM invoices WHERE tenant = ${tenant}`,
      ]) {
        await expect(session.run((db) => change.execute(db))).rejects.toThrow(/only ever added/)
      }
    })

    test('50 transactions at once number without gap or double, and one that is taken back takes no number', async () => {
      const take = (isTakenBack: boolean) =>
        write(async ({ invoices: own }) => {
          const { last } = await own.lockSeries(tenant, 'invoice')
          await own.moveSeries(tenant, 'invoice', { last: last + 1, lastHash: `h${last + 1}` })
          return isTakenBack ? refuse('unknown_invoice', { invoice: 'none' }) : last + 1
        })
      const taken = await Promise.all(Array.from({ length: 50 }, (_, n) => take(n % 5 === 0)))
      const numbers = taken.filter((each) => typeof each === 'number').sort((a, b) => a - b)
      expect(numbers).toEqual(Array.from({ length: 40 }, (_, n) => n + 1))
    })
  })
}

function invoice(change: Partial<StoredInvoice>): StoredInvoice {
  return {
    ...{
      id: 'inv_1',
      customer: 'acme' as CustomerKey,
      subscription: 'sub_1' as SubscriptionId,
      decision: 1,
      status: 'finalised',
      currency: 'EUR',
    },
    ...{ closesAtMs: START as InstantMs, due: 100n as Money, paid: 0n as Money, record: { total: '1.00' }, undo: {}, numbered: null },
    ...change,
  }
}
