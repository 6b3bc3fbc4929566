import { beforeEach, describe, expect, test } from 'vitest'
import type { ArchivedFilter } from '../../../domain/catalog/record-times.ts'
import type { ProductKey, TenantKey } from '../../../domain/identity.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { PRODUCT } from './catalog-fixture.ts'
import { everyPage } from './every-page.ts'

export function describeStore({ stores, time, freshTenant, heardOf }: DatabaseUnderTest): void {
  describe('products', () => {
    let tenant: TenantKey
    const heard = heardOf('products')
    const made = { createdMs: START, updatedMs: START, archivedMs: null }
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('a product is created, same or changed', async () => {
      expect(await stores.products.put(tenant, PRODUCT)).toEqual({ result: 'created', value: { ...PRODUCT, ...made } })
      time.nowMs = START + 5
      expect(await stores.products.put(tenant, PRODUCT)).toEqual({ result: 'same', value: { ...PRODUCT, ...made } })
      expect(await stores.products.put(tenant, { ...PRODUCT, description: 'All of it' })).toMatchObject({ result: 'changed' })
      const changed = { ...PRODUCT, description: 'All of it', ...made, updatedMs: START + 5 }
      expect(await stores.products.get(tenant, PRODUCT.key)).toEqual(changed)
      expect(await stores.products.get('other' as TenantKey, PRODUCT.key)).toBeNull()
      expect(await everyPage((page) => stores.products.list(tenant, page), 1)).toEqual(['ai'])
    })

    test('an archived product is in the lists that ask for it, and its first time stays', async () => {
      for (const key of ['a', 'b', 'c'] as ProductKey[]) await stores.products.put(tenant, { ...PRODUCT, key })
      heard.length = 0
      time.nowMs = START + 7
      expect(await stores.products.archive(tenant, 'b' as ProductKey, true)).toMatchObject({ archivedMs: START + 7, updatedMs: START + 7 })
      time.nowMs = START + 9
      expect(await stores.products.archive(tenant, 'b' as ProductKey, true)).toMatchObject({ archivedMs: START + 7, updatedMs: START + 7 })
      expect(heard).toEqual([{ tenant, topic: 'products', key: 'b' }])
      const keysOf = (archived: ArchivedFilter) => everyPage((page) => stores.products.list(tenant, page, { archived }), 1)
      expect([await keysOf('false'), await keysOf('true'), await keysOf('any')]).toEqual([['a', 'c'], ['b'], ['a', 'b', 'c']])
      expect(await stores.products.list(tenant, { limit: 1, count: true }, { archived: 'false' })).toMatchObject({ count: 2 })
      expect(await stores.products.put(tenant, { ...PRODUCT, key: 'b' as ProductKey, name: 'B' })).toMatchObject({
        value: { archivedMs: START + 7 },
      })
      expect(await stores.products.archive(tenant, 'b' as ProductKey, false)).toMatchObject({ archivedMs: null })
      expect(await stores.products.archive(tenant, 'x' as ProductKey, true)).toBeNull()
      expect(await stores.products.archive('other' as TenantKey, 'b' as ProductKey, true)).toBeNull()
    })

    test('a cursor goes on in its own list alone', async () => {
      for (const key of ['a', 'b'] as ProductKey[]) await stores.products.put(tenant, { ...PRODUCT, key })
      const { nextCursor } = await stores.products.list(tenant, { limit: 1 }, { archived: 'any' })
      const cursor = nextCursor ?? ''
      expect(await stores.products.list(tenant, { limit: 1, cursor }, { archived: 'any' })).toMatchObject({ data: [{ key: 'b' }] })
      await expect(stores.products.list(tenant, { limit: 1, cursor }, { archived: 'true' })).rejects.toMatchObject(INVALID_CURSOR)
      await expect(stores.features.list(tenant, { limit: 1, cursor }, { archived: 'any' })).rejects.toMatchObject(INVALID_CURSOR)
      await expect(stores.customers.list(tenant, { limit: 1, cursor })).rejects.toMatchObject(INVALID_CURSOR)
    })
  })
}

const INVALID_CURSOR = { refusal: { code: 'invalid_cursor' } }
