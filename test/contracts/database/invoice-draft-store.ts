import { beforeEach, describe, expect, test } from 'vitest'
import type { InvoiceDraft } from '../../../domain/billing/invoice-draft.ts'
import type { Money } from '../../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { everyPage } from './every-page.ts'

export function describeStore({ stores, freshTenant }: DatabaseUnderTest): void {
  describe('drafts by hand', () => {
    const { drafts } = stores.billing
    let tenant: TenantKey
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('a draft comes back as it was made and changed, with exact quantities, until it is removed', async () => {
      await drafts.create(tenant, DRAFT)
      expect(await drafts.get(tenant, DRAFT.id)).toEqual(DRAFT)
      const changed = { ...DRAFT, isPaused: true, lines: [] }
      await drafts.change(tenant, changed)
      expect(await drafts.get(tenant, DRAFT.id)).toEqual(changed)
      expect(await drafts.get('other' as TenantKey, DRAFT.id)).toBeNull()
      await drafts.remove(tenant, DRAFT.id)
      expect(await drafts.get(tenant, DRAFT.id)).toBeNull()
    })

    test('pages hold every draft of a customer once', async () => {
      for (const id of ['d2', 'd1', 'd3']) await drafts.create(tenant, { ...DRAFT, id })
      await drafts.create(tenant, { ...DRAFT, id: 'd0', customer: 'other' as CustomerKey, credit: null })
      expect(await everyPage((page) => drafts.list(tenant, DRAFT.customer, page), 2)).toEqual(['d1', 'd2', 'd3'])
      expect(await everyPage((page) => drafts.list(tenant, undefined, page), 2)).toEqual(['d0', 'd1', 'd2', 'd3'])
    })
  })
}

const DRAFT: InvoiceDraft = {
  ...{ id: 'inv_1', customer: 'acme' as CustomerKey, currency: 'EUR', isPaused: false, createdAtMs: START as InstantMs },
  lines: [{ description: 'Set-up', quantityNano: 10n ** 20n + 1n, unitAmount: '0.000000000001', taxRates: ['vat'] }],
  credit: {
    grantOn: 'paid',
    ...{
      id: 'c1',
      amount: 100n as Money,
      priority: 1,
      effectiveAtMs: START as InstantMs,
      expiresAtMs: null,
      createdAtMs: START as InstantMs,
    },
    ...{ appliesTo: { kinds: null, features: null }, burned: 0n as Money, expired: 0n as Money, voided: 0n as Money },
  },
}
