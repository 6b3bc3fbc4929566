import { beforeEach, describe, expect, test } from 'vitest'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import { isRefusal } from '../../../domain/refusal.ts'
import type { DatabaseUnderTest } from '../database-under-test.ts'

export function describeStore({ stores, time, freshTenant }: DatabaseUnderTest): void {
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
