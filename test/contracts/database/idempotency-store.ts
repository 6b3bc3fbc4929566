import { beforeEach, describe, expect, test } from 'vitest'
import { sqlIdempotencyStore } from '../../../adapters/database/idempotency/idempotency-store.ts'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import { isRefusal } from '../../../domain/refusal.ts'
import type { DatabaseUnderTest } from '../database-under-test.ts'

export function describeStore({ stores, session, time, freshTenant }: DatabaseUnderTest): void {
  describe('idempotency keys', () => {
    let tenant: TenantKey
    beforeEach(() => {
      tenant = freshTenant()
    })

    const claim = (requestHash = 'hash-1', key = 'k') => stores.idempotency.claim(tenant, key, requestHash, at(time.nowMs))

    test('the same request is answered as before, another one refused', async () => {
      expect(await claim()).toBeNull()
      expect(await claim()).toMatchObject({ code: 'idempotency_key_in_use' })
      expect(await claim('hash-2')).toMatchObject({ code: 'idempotency_key_reused' })
      const answer = { status: 201, body: '{"id":"x"}' }
      await stores.idempotency.save(tenant, 'k', answer)
      expect(await claim()).toEqual(answer)
      expect(await claim('hash-2')).toMatchObject({ code: 'idempotency_key_reused' })
      expect(await stores.idempotency.claim('other' as TenantKey, 'k', 'hash-1', at(time.nowMs))).toBeNull()
    })

    test('a tenant keeps as many as may be: a new key is refused by name, a known one is answered, another tenant goes on', async () => {
      // Two processes that share the database.
      const [bounded, other] = [sqlIdempotencyStore(session, 3), sqlIdempotencyStore(session, 3)]
      const claimOf = (key: string, store = bounded, of = tenant) => store.claim(of, key, 'hash', at(time.nowMs))
      expect(await claimOf('a')).toBeNull()
      for (const key of ['b', 'c']) expect(await claimOf(key, other)).toBeNull()
      await other.save(tenant, 'c', { status: 201, body: '{}' })
      expect(await claimOf('d', other)).toMatchObject({ code: 'too_many_idempotency_keys', fields: { keysMax: 3 } })
      expect(await claimOf('c', other)).toEqual({ status: 201, body: '{}' })
      expect(await claimOf('d', sqlIdempotencyStore(session, 3))).toMatchObject({ code: 'too_many_idempotency_keys' })
      expect(await claimOf('d', other, freshTenant())).toBeNull()
      time.nowMs += 86_400_000
      expect(await claimOf('d', other)).toBeNull()
    })

    test('of 50 claims at once one wins', async () => {
      const claims = await Promise.all(Array.from({ length: 50 }, () => claim()))
      expect(claims.filter((outcome) => outcome === null)).toHaveLength(1)
      expect(claims.filter(isRefusal)).toHaveLength(49)
    })

    test('a released key is new again, an answered one is not released', async () => {
      await claim()
      await stores.idempotency.release(tenant, 'k')
      expect(await claim('hash-2')).toBeNull()
      await stores.idempotency.save(tenant, 'k', { status: 201, body: '{}' })
      await stores.idempotency.release(tenant, 'k')
      expect(await claim('hash-2')).toMatchObject({ status: 201 })
    })

    test('is forgotten after 24 hours, and a claim that died is free after a minute', async () => {
      await claim()
      time.nowMs += 59_999
      expect(await claim()).toMatchObject({ code: 'idempotency_key_in_use' })
      time.nowMs += 1
      expect(await claim()).toBeNull()
      await stores.idempotency.save(tenant, 'k', { status: 201, body: '{}' })
      time.nowMs += 86_400_000 - 1
      expect(await claim('hash-2')).toMatchObject({ code: 'idempotency_key_reused' })
      time.nowMs += 1
      expect(await claim('hash-2')).toBeNull()
    })
  })
}

const at = (ms: number) => ms as InstantMs
