import { beforeEach, describe, expect, test } from 'vitest'
import { NO_ENTITLEMENT_INPUTS } from '../../../domain/entitlements/entitlement-inputs.ts'
import type { OverrideTerms } from '../../../domain/entitlements/entitlement-override.ts'
import type { CustomerKey, FeatureKey, TenantKey } from '../../../domain/identity.ts'
import { orThrow } from '../../../domain/refusal.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { ACME, putAllowanceCatalog, REGION, TERMS, TOKENS } from './allowance-fixture.ts'

export function describeStore({ stores, time, freshTenant, heardOf }: DatabaseUnderTest): void {
  describe('overrides', () => {
    let tenant: TenantKey
    const heard = heardOf('overrides')
    beforeEach(async () => {
      tenant = freshTenant()
      await putAllowanceCatalog(stores, tenant)
      heard.length = 0
    })
    const inputs = async () => (await stores.entitlementInputs.read(tenant, [ACME])).get(ACME) ?? NO_ENTITLEMENT_INPUTS

    test('one is made, changed and deleted, and each change ends the one before', async () => {
      const created = orThrow(await stores.overrides.put(tenant, ACME, TERMS))
      expect(created).toEqual({ result: 'created', value: { ...TERMS, beganMs: START, fromMs: START, untilMs: null } })
      time.nowMs += 10
      expect(await stores.overrides.put(tenant, ACME, { ...TERMS })).toEqual({ ...created, result: 'same' })
      const changed = orThrow(await stores.overrides.put(tenant, ACME, { ...TERMS, limit: null, rollover: null, onUncertain: 'allow' }))
      expect(changed).toMatchObject({ result: 'changed', value: { limit: null, beganMs: START, fromMs: START + 10 } })
      expect(await stores.overrides.get(tenant, ACME, TOKENS)).toEqual(changed.value)
      time.nowMs += 10
      expect(await stores.overrides.delete(tenant, ACME, TOKENS)).toEqual(changed.value)
      expect(await stores.overrides.delete(tenant, ACME, TOKENS)).toBeNull()
      expect(await stores.overrides.get(tenant, ACME, TOKENS)).toBeNull()
      expect((await inputs()).overrides).toEqual([
        { ...created.value, untilMs: START + 10 },
        { ...changed.value, untilMs: START + 20 },
      ])
      expect(heard).toEqual(Array(3).fill({ tenant, topic: 'overrides', key: ACME }))
      time.nowMs += 10
      expect(await stores.overrides.put(tenant, ACME, TERMS)).toMatchObject({ result: 'created', value: { beganMs: START + 30 } })
    })

    test('changes of one instant, or of a clock that was set back, leave the last one', async () => {
      orThrow(await stores.overrides.put(tenant, ACME, TERMS))
      orThrow(await stores.overrides.put(tenant, ACME, { ...TERMS, limit: '2' }))
      time.nowMs -= 1000
      orThrow(await stores.overrides.put(tenant, ACME, { ...TERMS, limit: '3' }))
      expect((await inputs()).overrides).toMatchObject([{ limit: '3', beganMs: START, fromMs: START, untilMs: null }])
    })

    test('50 at once leave one in force', async () => {
      await Promise.all(Array.from({ length: 50 }, (_, n) => stores.overrides.put(tenant, ACME, { ...TERMS, limit: `${n}` })))
      expect((await inputs()).overrides.filter(({ untilMs }) => untilMs === null)).toHaveLength(1)
    })

    test('a value is any JSON, and the inputs hold the feature without any subscription', async () => {
      const value = { zones: [1, null], name: 'eu' }
      const terms: OverrideTerms = { ...TERMS, feature: REGION, limit: null, limitType: 'soft', rollover: null, value }
      orThrow(await stores.overrides.put(tenant, ACME, terms))
      expect(await inputs()).toMatchObject({ subscriptions: [], features: [{ key: REGION }], overrides: [{ value }] })
    })

    test('an unknown customer or feature is refused', async () => {
      expect(await stores.overrides.put(tenant, 'nobody' as CustomerKey, TERMS)).toMatchObject({ code: 'unknown_customer' })
      const unknown = { ...TERMS, feature: 'nothing' as FeatureKey }
      expect(await stores.overrides.put(tenant, ACME, unknown)).toMatchObject({ code: 'unknown_feature', errors: [{ field: 'feature' }] })
    })
  })
}
