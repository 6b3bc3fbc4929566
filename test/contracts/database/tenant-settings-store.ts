import { describe, expect, test } from 'vitest'
import type { DatabaseUnderTest } from '../database-under-test.ts'

export function describeStore({ stores: { tenantSettings }, freshTenant, heardOf }: DatabaseUnderTest): void {
  describe('settings of a tenant', () => {
    const heard = heardOf('tenantSettings')

    test('are the defaults until they are put, belong to the tenant, and others hear of a change', async () => {
      const [tenant, other] = [freshTenant(), freshTenant()]
      expect(await tenantSettings.get(tenant)).toEqual({ origins: [], returnUrls: [] })
      await tenantSettings.put(tenant, { origins: ['https://a.example'], returnUrls: [] })
      await tenantSettings.put(tenant, { origins: ['https://b.example'], returnUrls: [] })
      expect(await tenantSettings.get(tenant)).toEqual({ origins: ['https://b.example'], returnUrls: [] })
      expect(await tenantSettings.get(other)).toEqual({ origins: [], returnUrls: [] })
      expect(heard.at(-1)).toEqual({ tenant, topic: 'tenantSettings', key: tenant })
    })
  })
}
