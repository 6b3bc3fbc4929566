import { beforeEach, describe, expect, test } from 'vitest'
import { TENANT_BILLING_SETTINGS_DEFAULT } from '../../../domain/billing/billing-settings.ts'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import { DAY_MS } from '../../../domain/time/durations.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { catalogFixture } from './catalog-fixture.ts'

export function describeStore({ stores, time, freshTenant }: DatabaseUnderTest): void {
  describe('billing settings', () => {
    const { settings, cursors, write } = stores.billing
    let tenant: TenantKey
    const { withSubscription } = catalogFixture(stores, () => tenant)
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('are the defaults until they are put, then as they were put, of their tenant alone', async () => {
      expect(await settings.get(tenant)).toEqual(TENANT_BILLING_SETTINGS_DEFAULT)
      const put = { ...TENANT_BILLING_SETTINGS_DEFAULT, graceMs: 0, taxRates: ['vat'], seller: { name: 'Seller', footer: 'bye' } }
      await settings.put(tenant, put)
      expect(await settings.get(tenant)).toEqual(put)
      await settings.put(tenant, TENANT_BILLING_SETTINGS_DEFAULT)
      expect(await settings.get(tenant)).toEqual(TENANT_BILLING_SETTINGS_DEFAULT)
      expect(await settings.get('other' as TenantKey)).toEqual(TENANT_BILLING_SETTINGS_DEFAULT)
    })

    test('a change makes the next run look at every subscription that waits, and at none that has nothing to come', async () => {
      const { id, startMs } = await withSubscription()
      const due = async () => (await cursors.due(tenant, time.nowMs as InstantMs, { max: 10 })).map(({ subscription }) => subscription)
      const waitUntil = (nextDueMs: InstantMs | null, fromVersion: number) => {
        const cursor = { baseBilledToMs: startMs, usageBilledToMs: startMs, version: fromVersion + 1 }
        const to = { cursor, baseFees: [], parts: [], committed: null }
        return write((own) => own.cursors.move(tenant, [{ subscription: id, fromVersion, to, nextDueMs }]))
      }
      await waitUntil((START + 30 * DAY_MS) as InstantMs, 0)
      expect(await due()).toEqual([])
      await settings.put(tenant, { ...TENANT_BILLING_SETTINGS_DEFAULT, graceMs: 0 })
      expect(await due()).toEqual([id])
      await waitUntil(null, 1)
      await settings.put(tenant, TENANT_BILLING_SETTINGS_DEFAULT)
      expect(await due()).toEqual([])
    })
  })
}
