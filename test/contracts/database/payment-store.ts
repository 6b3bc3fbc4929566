import { beforeEach, describe, expect, test } from 'vitest'
import type { StoredInvoice } from '../../../adapters/database/invoices/invoice-store.ts'
import type { Payment } from '../../../adapters/database/payments/payment-store.ts'
import type { Money } from '../../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'

export function describeStore({ stores, freshTenant }: DatabaseUnderTest): void {
  describe('payments', () => {
    const { payments, invoices } = stores.billing
    let tenant: TenantKey
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('a payment comes back as it was recorded, with exact money, and of its tenant alone', async () => {
      await invoices.append(tenant, [INVOICE])
      await payments.append(tenant, PAYMENT)
      expect(await payments.get(tenant, PAYMENT.reference)).toEqual(PAYMENT)
      expect(await payments.get(tenant, 'none')).toBeNull()
      expect(await payments.get('other' as TenantKey, PAYMENT.reference)).toBeNull()
    })

    test('a reference stands for one payment, and a payment is of a document that there is', async () => {
      await invoices.append(tenant, [INVOICE])
      await payments.append(tenant, PAYMENT)
      await expect(payments.append(tenant, PAYMENT)).rejects.toThrow(/duplicate/)
      await expect(payments.append(tenant, { ...PAYMENT, reference: 'p2', invoice: 'none' })).rejects.toThrow(/foreign key/)
    })
  })
}

const PAYMENT: Payment = {
  ...{ invoice: 'inv_1', reference: 'bank/1 ü', amount: (10n ** 19n) as Money, toBalance: 7n as Money, paidAtMs: START as InstantMs },
}
const INVOICE: StoredInvoice = {
  ...{ id: 'inv_1', customer: 'acme' as CustomerKey, subscription: null, decision: null, status: 'finalised', currency: 'EUR' },
  ...{ closesAtMs: START as InstantMs, due: 100n as Money, paid: 0n as Money, record: {}, undo: {}, numbered: null },
}
