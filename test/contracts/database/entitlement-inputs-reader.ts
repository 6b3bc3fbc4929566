import { beforeEach, describe, expect, test } from 'vitest'
import type { Grant } from '../../../domain/allowance/grant.ts'
import { NO_ENTITLEMENT_INPUTS } from '../../../domain/entitlements/entitlement-inputs.ts'
import type { CustomerKey, TenantKey } from '../../../domain/identity.ts'
import { orThrow } from '../../../domain/refusal.ts'
import type { DatabaseUnderTest } from '../database-under-test.ts'
import { ACME, GRANT, putAllowanceCatalog, TERMS } from './allowance-fixture.ts'
import { catalogFixture, TOKENS, TOKENS_FEATURE, TOKENS_METER } from './catalog-fixture.ts'

export function describeStore(under: DatabaseUnderTest): void {
  describeSubscribed(under)
  describeAllowed(under)
}

function describeSubscribed({ stores, freshTenant }: DatabaseUnderTest): void {
  describe('entitlement inputs of subscriptions', () => {
    let tenant: TenantKey
    const { putPlan, putCustomer, subscribe, withSubscription } = catalogFixture(stores, () => tenant)
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('entitlement inputs hold all that the customer subscribed to', async () => {
      const subscription = await withSubscription()
      orThrow(await putPlan({ baseFee: '30' }))
      const second = await subscribe()
      const [acme, nobody] = ['acme' as CustomerKey, 'nobody' as CustomerKey]
      const inputs = (await stores.entitlementInputs.read(tenant, [acme])).get(acme) ?? NO_ENTITLEMENT_INPUTS
      expect(inputs.subscriptions).toEqual(expect.arrayContaining([subscription, second]))
      expect(inputs.subscriptions).toHaveLength(2)
      expect(inputs.planVersions.map(({ version }) => version).sort()).toEqual([1, 2])
      expect(inputs.features).toEqual([TOKENS_FEATURE])
      expect(inputs.meters).toMatchObject([{ key: TOKENS, ...TOKENS_METER }])
      expect(await stores.entitlementInputs.read(tenant, [nobody])).toEqual(new Map())

      orThrow(await putCustomer('other'))
      const ofOther = await subscribe('other')
      const other = 'other' as CustomerKey
      const ofBoth = await stores.entitlementInputs.read(tenant, [other, nobody, acme, other])
      expect([...ofBoth.keys()].sort()).toEqual([acme, other])
      expect(ofBoth.get(acme)).toEqual(inputs)
      expect(ofBoth.get(other)).toEqual({ ...inputs, subscriptions: [ofOther], planVersions: [expect.objectContaining({ version: 2 })] })
    })
  })
}

function describeAllowed({ stores, reopen, freshTenant }: DatabaseUnderTest): void {
  describe('entitlement inputs beside plans', () => {
    let tenant: TenantKey
    beforeEach(async () => {
      tenant = freshTenant()
      await putAllowanceCatalog(stores, tenant)
    })
    const inputs = async () => (await stores.entitlementInputs.read(tenant, [ACME])).get(ACME) ?? NO_ENTITLEMENT_INPUTS
    const grant = (change: Partial<Grant> = {}) => stores.grants.create(tenant, { ...GRANT, ...change })

    test('of several customers each has what is its own', async () => {
      const OTHER = 'other' as CustomerKey
      await stores.customers.ensure([{ tenant, key: OTHER }])
      orThrow(await grant())
      orThrow(await grant({ customer: OTHER }))
      const before = await inputs()
      const alone = (await stores.entitlementInputs.read(tenant, [OTHER])).get(OTHER)
      expect([before, alone]).toEqual([NO_ENTITLEMENT_INPUTS, undefined])
      orThrow(await stores.overrides.put(tenant, OTHER, TERMS))
      orThrow(await stores.overrides.put(tenant, ACME, TERMS))
      const both = await stores.entitlementInputs.read(tenant, [ACME, OTHER])
      for (const customer of [ACME, OTHER]) {
        expect(both.get(customer)).toMatchObject({ overrides: [{ feature: TERMS.feature }], grants: [{ customer }] })
        expect(both.get(customer)).toEqual((await stores.entitlementInputs.read(tenant, [customer])).get(customer))
      }
    })

    test('everything is there after a restart', async () => {
      orThrow(await stores.overrides.put(tenant, ACME, TERMS))
      orThrow(await grant())
      const before = await inputs()
      await reopen()
      expect(await inputs()).toEqual(before)
    })
  })
}
