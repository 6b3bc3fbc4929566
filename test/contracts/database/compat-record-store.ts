import { beforeEach, describe, expect, test } from 'vitest'
import { sqlCompatRecordStore } from '../../../adapters/database/compat/compat-record-store.ts'
import type { TenantKey } from '../../../domain/identity.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'
import { everyPage } from './every-page.ts'

const METER = { vendor: 'openmeter', kind: 'meter' }
const PLAN = { vendor: 'openmeter', kind: 'plan' }

export function describeStore({ session, time, freshTenant }: DatabaseUnderTest): void {
  describe('records of other vendors', () => {
    const records = sqlCompatRecordStore(session)
    let tenant: TenantKey
    beforeEach(() => {
      tenant = freshTenant()
    })

    test('a record is its tenant’s, its vendor’s and its kind’s alone, and a put keeps when it was made', async () => {
      const made = { key: 'a', data: { path: '$.tokens' }, createdMs: START, updatedMs: START }
      expect(await records.put(tenant, METER, 'a', made.data)).toEqual(made)
      time.nowMs = START + 5
      const changed = { ...made, data: { path: '$.units', list: [1] }, updatedMs: START + 5 }
      expect(await records.put(tenant, METER, 'a', changed.data)).toEqual(changed)
      expect(await records.get(tenant, METER, 'a')).toEqual(changed)
      expect(await records.getAll(tenant, METER, ['a', 'b'])).toEqual([changed])
      expect(await records.get('other' as TenantKey, METER, 'a')).toBeNull()
      expect(await records.get(tenant, PLAN, 'a')).toBeNull()
      expect(await records.get(tenant, { ...METER, vendor: 'lago' }, 'a')).toBeNull()
      expect([await records.delete(tenant, METER, 'a'), await records.delete(tenant, METER, 'a')]).toEqual([true, false])
      expect(await records.getAll(tenant, METER, [])).toEqual([])
    })

    test('one of twenty that make the same key at once makes it', async () => {
      const made = await Promise.all(Array.from({ length: 20 }, (_, by) => records.create(tenant, METER, 'a', { by })))
      expect(made.filter((record) => record !== null)).toEqual([await records.get(tenant, METER, 'a')])
    })

    test('pages hold every record of the kind once, in the order of their keys', async () => {
      for (const key of ['b', 'a', 'C']) await records.put(tenant, METER, key, {})
      await records.put(tenant, PLAN, 'd', {})
      expect(await everyPage((page) => records.list(tenant, METER, page), 2)).toEqual(['C', 'a', 'b'])
    })
  })
}
