import { beforeEach, describe, expect, test } from 'vitest'
import type { Credit } from '../../../domain/billing/credit.ts'
import type { Money } from '../../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'

export function describeStore({ stores, freshTenant }: DatabaseUnderTest): void {
  describe('credits and balances', () => {
    const { write, credits } = stores.billing
    const key = { customer: 'acme' as CustomerKey, currency: 'EUR' }
    let tenant: TenantKey
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('an account is made with nothing, and comes back as it was saved', async () => {
      expect(await credits.get(tenant, key)).toBeNull()
      await write(async (stores) => {
        expect(await stores.credits.lock(tenant, [key])).toEqual(new Map([['EUR acme', { balance: 0n, credits: [], version: 0 }]]))
        await stores.credits.save(tenant, [{ ...key, account: { balance: (10n ** 19n) as Money, credits: [CREDIT], version: 0 } }])
      })
      expect(await credits.get(tenant, key)).toEqual({ balance: 10n ** 19n, credits: [CREDIT], version: 1 })
      const burned = { ...CREDIT, burned: 40n as Money }
      await write(({ credits }) => credits.save(tenant, [{ ...key, account: { balance: 0n as Money, credits: [burned], version: 1 } }]))
      expect(await credits.get(tenant, key)).toEqual({ balance: 0n, credits: [burned], version: 2 })
      expect(await credits.get(tenant, { ...key, currency: 'USD' })).toBeNull()
    })

    test('never more is taken of a credit than it has', async () => {
      const over = { ...CREDIT, burned: 60n as Money, expired: 41n as Money }
      await expect(
        write(({ credits }) => credits.save(tenant, [{ ...key, account: { balance: 0n as Money, credits: [over], version: 0 } }])),
      ).rejects.toThrow(/check/)
    })

    test('50 at once that lock, read and save lose nothing of each other', async () => {
      const add = () =>
        write(async ({ credits }) => {
          const account = (await credits.lock(tenant, [key])).get('EUR acme')
          if (account === undefined) throw new Error('a locked account is there')
          await credits.save(tenant, [{ ...key, account: { ...account, balance: (account.balance + 1n) as Money } }])
        })
      await Promise.all(Array.from({ length: 50 }, add))
      expect(await credits.get(tenant, key)).toEqual({ balance: 50n, credits: [], version: 50 })
    })
  })
}

const CREDIT: Credit = {
  ...{ id: 'c1', amount: 100n as Money, paid: 80n as Money, priority: 1, effectiveAtMs: START as InstantMs, expiresAtMs: null },
  ...{ createdAtMs: START as InstantMs, appliesTo: { kinds: ['usage'], features: null } },
  ...{ burned: 0n as Money, expired: 0n as Money, voided: 0n as Money },
}
