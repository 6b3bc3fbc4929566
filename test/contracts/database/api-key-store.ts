import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { END_OF_TIME_MS, type InstantMs, type TenantKey } from '../../../domain/identity.ts'
import type { Scope } from '../../../domain/principal.ts'
import { isRefusal, orThrow } from '../../../domain/refusal.ts'
import { type DatabaseUnderTest, START } from '../database-under-test.ts'

export function describeStore({ stores, time, freshTenant, heardOf }: DatabaseUnderTest): void {
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
      expect(await stores.keys.find(secretHash)).toEqual({
        principal: { keyId: record.id, tenant, scopes: ['ingest', 'read'] },
        allowedFrom: [],
        untilMs: END_OF_TIME_MS,
      })
      expect(await stores.keys.find('unknown')).toBeNull()
      expect(await stores.keys.list(tenant)).toEqual([record])
      expect(await stores.keys.hasAny(tenant)).toBe(true)
      expect(await stores.keys.list('other' as TenantKey)).toEqual([])
      expect(heard).toEqual([{ tenant, topic: 'keys', key: record.id }])
    })

    const make = (more: { scopes?: readonly Scope[]; expiresAtMs?: InstantMs } = {}) => {
      const secretHash = randomUUID()
      return stores.keys.create({ tenant, name: 'web', scopes: ['read'], secretHash, ...more }).then((key) => ({ ...key, secretHash }))
    }
    const isGood = async (secretHash: string) => (await stores.keys.find(secretHash)) !== null
    const codeOf = (outcome: object) => (isRefusal(outcome) ? outcome.code : 'done')

    test('a key that is ended is good for nothing, stays in the list, and others hear of it', async () => {
      await make({ scopes: ['admin'] })
      const key = await make()
      heard.length = 0
      time.nowMs = START + 5_000
      expect(orThrow(await stores.keys.end(tenant, key.id))).toMatchObject({ id: key.id, endedAtMs: START + 5_000 })
      expect(heard).toEqual([{ tenant, topic: 'keys', key: key.id }])
      expect(await isGood(key.secretHash)).toBe(false)
      time.nowMs = START + 6_000
      expect(orThrow(await stores.keys.end(tenant, key.id))).toMatchObject({ endedAtMs: START + 5_000 })
      expect(await stores.keys.get(tenant, key.id)).toMatchObject({ endedAtMs: START + 5_000 })
      expect(codeOf(await stores.keys.end('other' as TenantKey, key.id))).toBe('unknown_key')
      expect(codeOf(await stores.keys.rotate(tenant, key.id, randomUUID(), 0))).toBe('key_has_ended')
    })

    test('a key ends by itself at its instant', async () => {
      const key = await make({ expiresAtMs: (START + 1_000) as InstantMs })
      expect(await stores.keys.find(key.secretHash)).toMatchObject({ untilMs: START + 1_000 })
      time.nowMs = START + 999
      expect(await isGood(key.secretHash)).toBe(true)
      time.nowMs = START + 1_000
      expect(await isGood(key.secretHash)).toBe(false)
      expect(codeOf(await stores.keys.rotate(tenant, key.id, randomUUID(), 0))).toBe('key_has_ended')
    })

    test('a rotated key has a new secret, the one before is good for the grace, and the one before that no more', async () => {
      const [first, { id, secretHash: old }] = [randomUUID(), await make()]
      orThrow(await stores.keys.rotate(tenant, id, first, 10_000))
      expect(await stores.keys.find(old)).toMatchObject({ principal: { keyId: id }, untilMs: START + 10_000 })
      expect(await stores.keys.find(first)).toMatchObject({ principal: { keyId: id }, untilMs: END_OF_TIME_MS })
      time.nowMs = START + 10_000
      expect([await isGood(old), await isGood(first)]).toEqual([false, true])
      const second = randomUUID()
      orThrow(await stores.keys.rotate(tenant, id, second, 0))
      expect([await isGood(old), await isGood(first), await isGood(second)]).toEqual([false, false, true])
      expect(await stores.keys.list(tenant)).toHaveLength(1)
    })

    test('the last admin key that lasts cannot be ended, also when two are ended at once', async () => {
      const [one, other] = [await make({ scopes: ['admin'] }), await make({ scopes: ['read', 'admin'] })]
      await make({ scopes: ['admin'], expiresAtMs: (START + 86_400_000) as InstantMs })
      const ended = await Promise.all([one, other].map(({ id }) => stores.keys.end(tenant, id)))
      expect(ended.map(codeOf).sort()).toEqual(['done', 'last_admin_key'])
    })

    test('the configured key is replaced by another setting, and comes back with it', async () => {
      const [before, after] = [randomUUID(), randomUUID()]
      await stores.keys.configure(tenant, before)
      await stores.keys.configure(tenant, before)
      const [record] = await stores.keys.list(tenant)
      expect(record).toMatchObject({ scopes: ['admin'], isConfigured: true, endedAtMs: null })
      expect(codeOf(await stores.keys.end(tenant, record?.id ?? ''))).toBe('configured_key')
      expect(codeOf(await stores.keys.rotate(tenant, record?.id ?? '', randomUUID(), 0))).toBe('configured_key')
      await stores.keys.configure(tenant, after)
      expect([await isGood(before), await isGood(after)]).toEqual([false, true])
      await stores.keys.configure(tenant, before)
      expect([await isGood(before), await isGood(after)]).toEqual([true, false])
      expect(await stores.keys.list(tenant)).toHaveLength(2)
    })

    test('processes that start at once with one setting make one key', async () => {
      const secretHash = randomUUID()
      await Promise.all(Array.from({ length: 8 }, () => stores.keys.configure(tenant, secretHash)))
      expect(await stores.keys.list(tenant)).toHaveLength(1)
    })

    test('what a key may and where it was last used is told', async () => {
      const createdBy = (await make()).id
      const secretHash = randomUUID()
      const { id } = await stores.keys.create({ tenant, name: 'web', scopes: ['read'], secretHash, createdBy, allowedFrom: ['10.0.0.0/8'] })
      expect(await stores.keys.find(secretHash)).toMatchObject({ allowedFrom: ['10.0.0.0/8'] })
      expect(await stores.keys.get(tenant, id)).toMatchObject({ createdBy, allowedFrom: ['10.0.0.0/8'], lastUsedAtMs: null })
      for (const nowMs of [START + 60_000, START + 120_000]) {
        time.nowMs = nowMs
        await stores.keys.used([id, 'gone'])
      }
      expect(await stores.keys.get(tenant, id)).toMatchObject({ lastUsedAtMs: START + 120_000 })
    })
  })
}
