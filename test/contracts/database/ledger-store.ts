import { sql } from 'kysely'
import { beforeEach, describe, expect, test } from 'vitest'
import type { PostedTransaction } from '../../../adapters/database/ledger/ledger-store.ts'
import type { Money } from '../../../domain/billing/money.ts'
import type { CustomerKey, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseUnderTest } from '../database-under-test.ts'

export function describeStore({ stores, session, time, freshTenant }: DatabaseUnderTest): void {
  describe('the ledger', () => {
    let tenant: TenantKey
    beforeEach(() => {
      tenant = freshTenant()
    })
    const { ledger } = stores.billing
    const posted = (source: string, amount = 100n, other = -amount): PostedTransaction => ({
      ...{ customer: 'acme' as CustomerKey, currency: 'EUR', postedAtMs: time.nowMs as PostedTransaction['postedAtMs'] },
      transaction: {
        source,
        entries: [
          { account: 'receivable', amount: amount as Money },
          { account: 'revenue', amount: other as Money },
        ],
      },
    })

    test('accounts are what their entries sum to, exact beyond what floats hold', async () => {
      await ledger.post(tenant, [posted('a', 10n ** 19n + 1n), posted('b', 2n)])
      expect(await ledger.accounts(tenant, 'acme' as CustomerKey, 'EUR')).toEqual(
        new Map([
          ['receivable', 10n ** 19n + 3n],
          ['revenue', -(10n ** 19n) - 3n],
        ]),
      )
      expect(await ledger.accounts(tenant, 'acme' as CustomerKey, 'USD')).toEqual(new Map())
      expect(await ledger.bySource(tenant, ['b', 'none'])).toEqual([posted('b', 2n).transaction])
    })

    test('pages hold every entry once, oldest first, each with the running balance of its account', async () => {
      await ledger.post(tenant, [posted('b', 2n), posted('a', 1n)])
      time.nowMs += 1
      await ledger.post(tenant, [posted('0', -3n)])
      const first = await ledger.list(tenant, 'acme' as CustomerKey, 'EUR', { limit: 4 })
      const rest = await ledger.list(tenant, 'acme' as CustomerKey, 'EUR', { limit: 4, cursor: first.nextCursor ?? '' })
      const shown = [...first.data, ...rest.data].map(({ source, account, amount, balance }) => [source, account, amount, balance])
      expect(shown).toEqual([
        ['a', 'receivable', 1n, 1n],
        ['a', 'revenue', -1n, -1n],
        ['b', 'receivable', 2n, 3n],
        ['b', 'revenue', -2n, -3n],
        ['0', 'receivable', -3n, 0n],
        ['0', 'revenue', 3n, 0n],
      ])
      expect([rest.nextCursor, (await ledger.list(tenant, 'other' as CustomerKey, 'EUR', { limit: 4 })).data]).toEqual([null, []])
    })

    test('what does not sum to zero is not committed, and a source is posted once', async () => {
      await expect(ledger.post(tenant, [posted('a', 1n, 1n)])).rejects.toThrow(/sum to zero/)
      await ledger.post(tenant, [posted('a')])
      await expect(ledger.post(tenant, [posted('a')])).rejects.toThrow(/duplicate/)
      expect(await ledger.bySource(tenant, ['a'])).toEqual([posted('a').transaction])
    })

    test('nothing of it is changed or taken away', async () => {
      await ledger.post(tenant, [posted('a')])
      for (const change of [
        sql`UPDATE ledger_entries SET amount = 0 WHERE tenant = ${tenant}`,
        sql`DELETE FROM ledger_entries WHERE tenant = ${tenant}`,
        sql`UPDATE ledger_transactions SET currency = 'USD' WHERE tenant = ${tenant}`,
      ]) {
        await expect(session.run((db) => change.execute(db))).rejects.toThrow(/only ever added/)
      }
    })
  })
}
