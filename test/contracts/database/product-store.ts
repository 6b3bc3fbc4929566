import { beforeEach, describe, expect, test } from 'vitest'
import type { TenantKey } from '../../../domain/identity.ts'
import type { DatabaseUnderTest } from '../database-under-test.ts'
import { PRODUCT } from './catalog-fixture.ts'
import { everyPage } from './every-page.ts'

export function describeStore({ stores, freshTenant }: DatabaseUnderTest): void {
  describe('products', () => {
    let tenant: TenantKey
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('a product is created, same or changed', async () => {
      expect(await stores.products.put(tenant, PRODUCT)).toEqual({ result: 'created', value: PRODUCT })
      expect(await stores.products.put(tenant, PRODUCT)).toMatchObject({ result: 'same' })
      expect(await stores.products.put(tenant, { ...PRODUCT, description: 'All of it' })).toMatchObject({ result: 'changed' })
      expect(await stores.products.get(tenant, PRODUCT.key)).toEqual({ ...PRODUCT, description: 'All of it' })
      expect(await stores.products.get('other' as TenantKey, PRODUCT.key)).toBeNull()
      expect(await everyPage((page) => stores.products.list(tenant, page), 1)).toEqual(['ai'])
    })
  })
}
