import { beforeEach, describe, expect, test } from 'vitest'
import { sqlTaxRateStore } from '../../../adapters/database/tax-rates/tax-rate-store.ts'
import type { TaxRate } from '../../../domain/billing/tax-rate.ts'
import type { TenantKey } from '../../../domain/identity.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { everyPage } from './every-page.ts'

export function describeStore({ session, time, freshTenant, heardOf }: DatabaseUnderTest): void {
  describe('tax rates', () => {
    const taxRates = sqlTaxRateStore(session)
    const heard = heardOf('tax_rates')
    let tenant: TenantKey
    const made = { createdMs: START, updatedMs: START }
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('a rate is created, same or changed, exact to the last digit, and of its tenant alone', async () => {
      expect(await taxRates.put(tenant, RATE)).toEqual({ value: { ...RATE, ...made }, result: 'created' })
      time.nowMs = START + 5
      expect(await taxRates.put(tenant, { ...RATE })).toEqual({ value: { ...RATE, ...made }, result: 'same' })
      const put = { ...RATE, isInclusive: true, percentNano: 100_000_000_000n }
      const changed = { ...put, ...made, updatedMs: START + 5 }
      expect(await taxRates.put(tenant, put)).toEqual({ value: changed, result: 'changed' })
      expect(await taxRates.get(tenant, RATE.key)).toEqual(changed)
      expect(await taxRates.get('other' as TenantKey, RATE.key)).toBeNull()
      expect(heard).toEqual(Array(2).fill({ tenant, topic: 'tax_rates', key: RATE.key }))
    })

    test('pages hold every rate once, in the order of their keys', async () => {
      for (const key of ['b', 'a', 'C']) await taxRates.put(tenant, { ...RATE, key })
      expect(await everyPage((page) => taxRates.list(tenant, page), 2)).toEqual(['C', 'a', 'b'])
    })
  })
}

const RATE: TaxRate = { key: 'us-ny', name: 'Sales tax', percentNano: 8_875_000_001n, isInclusive: false }
