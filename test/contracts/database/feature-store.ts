import { beforeEach, describe, expect, test } from 'vitest'
import type { FeatureKey, TenantKey } from '../../../domain/identity.ts'
import { orThrow } from '../../../domain/refusal.ts'
import type { DatabaseUnderTest } from '../database-under-test.ts'
import { catalogFixture, TOKENS, TOKENS_FEATURE } from './catalog-fixture.ts'
import { everyPage } from './every-page.ts'

export function describeStore({ stores, freshTenant }: DatabaseUnderTest): void {
  describe('features', () => {
    let tenant: TenantKey
    const { putMeter, putFeature } = catalogFixture(stores, () => tenant)
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('a feature needs its meter, keeps its type, and is put like everything', async () => {
      expect(await putFeature()).toMatchObject({ code: 'unknown_meter', errors: [{ field: 'meter' }] })
      expect(await stores.features.get(tenant, TOKENS_FEATURE.key)).toBeNull()
      await putMeter(TOKENS)
      expect(await putFeature()).toMatchObject({ result: 'created', value: { ...TOKENS_FEATURE, archivedMs: null } })
      expect(await putFeature()).toMatchObject({ result: 'same' })
      expect(await putFeature({ name: 'All tokens' })).toMatchObject({ result: 'changed' })
      expect(await putFeature({ type: 'boolean', meter: null, filter: {} })).toMatchObject({
        code: 'feature_type_fixed',
        fields: { wanted: 'boolean' },
      })
      expect(await stores.features.get(tenant, TOKENS_FEATURE.key)).toMatchObject({ ...TOKENS_FEATURE, name: 'All tokens' })
      orThrow(await putFeature({ key: 'sso' as FeatureKey, type: 'boolean', meter: null, filter: {}, unit: null }))
      expect(await everyPage((page) => stores.features.list(tenant, page), 1)).toEqual(['sso', 'tokens'])
    })
  })
}
