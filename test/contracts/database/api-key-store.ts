import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import type { TenantKey } from '../../../domain/identity.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'

export function describeStore({ stores, freshTenant, heardOf }: DatabaseUnderTest): void {
  describe('keys', () => {
    let tenant: TenantKey
    const heard = heardOf('keys')
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('a key is found by the hash of its secret, and belongs to its tenant', async () => {
      expect(await stores.keys.hasAny(tenant)).toBe(false)
      const secretHash = randomUUID()
      const record = await stores.keys.create({ tenant, name: 'web', scopes: ['ingest', 'read'], secretHash })
      expect(record).toMatchObject({ name: 'web', tenant, scopes: ['ingest', 'read'], createdAtMs: START })
      expect(await stores.keys.find(secretHash)).toEqual({ keyId: record.id, tenant, scopes: ['ingest', 'read'] })
      expect(await stores.keys.find('unknown')).toBeNull()
      expect(await stores.keys.list(tenant)).toEqual([record])
      expect(await stores.keys.hasAny(tenant)).toBe(true)
      expect(await stores.keys.list('other' as TenantKey)).toEqual([])
      expect(heard).toEqual([{ tenant, topic: 'keys', key: record.id }])
    })
  })
}
