import { randomBytes } from 'node:crypto'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FoundKey } from '../../../adapters/database/keys/api-key-store.ts'
import { END_OF_TIME_MS, type InstantMs, type TenantKey } from '../../../domain/identity.ts'
import type { Principal } from '../../../domain/principal.ts'
import type { HttpApp } from '../../../schemas/http/common.ts'
import { createVirtualClock, type VirtualClock } from '../../../test/support/virtual-clock.ts'
import { createHttpApp } from '../http-app.ts'
import { HTTP_BOUNDS } from '../http-bounds.ts'
import { createKeyRing, hashSecret } from './key-ring.ts'
import { keyText } from './key-text.ts'
import { createKeyUses, type KeyUses } from './key-uses.ts'

const WRONG_KEYS_MAX = 10
const good = keyText('secret', randomBytes(32))
const principal: Principal = { keyId: 'k', tenant: 'default' as TenantKey, scopes: ['read'] }
const found: FoundKey = { principal, allowedFrom: [], untilMs: END_OF_TIME_MS }

let clock: VirtualClock
let app: HttpApp
let lookups: string[]
let changed: () => void
let answers: Map<string, FoundKey>
let used: string[]
let uses: KeyUses
/** Look-ups wait for it. */
let gate: Promise<void>

beforeEach(() => {
  clock = createVirtualClock(1_000_000)
  lookups = []
  answers = new Map([[hashSecret(good), found]])
  used = []
  uses = createKeyUses({ keys: { used: async (ids) => void used.push(ids.join()) }, clock, log: pino({ level: 'silent' }) })
  uses.start()
  gate = Promise.resolve()
  const keys = {
    find: async (secretHash: string) => {
      lookups.push(secretHash)
      await gate
      return answers.get(secretHash) ?? null
    },
  }
  const feed = {
    subscribe(listener: { changed: () => void }) {
      changed = listener.changed
    },
  }
  app = createHttpApp({
    findPrincipal: createKeyRing({ keys, feed: feed as never, clock, wrongKeysMax: WRONG_KEYS_MAX, uses }),
    idempotency: {} as never,
    clock,
    log: pino({ level: 'silent' }),
    registry: new Registry(),
    bodyBytesMax: 1_000,
    trustedProxies: ['10.0.0.0/8'],
  })
  app.get('/v1/thing', { config: { scope: 'read' } }, async () => ({ thing: true }))
})
afterEach(async () => {
  await uses.stop()
  await app.close()
})

async function ask(secret: string, from: { address?: string; forwardedFor?: string } = {}) {
  const { address = '192.0.2.1', forwardedFor } = from
  const headers = { authorization: `Bearer ${secret}`, ...(forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor }) }
  const answer = await app.inject({ url: '/v1/thing', headers, remoteAddress: address })
  return `${answer.statusCode} ${answer.json().code ?? 'ok'}`
}

test('a made-up or mistyped key is refused without a look-up', async () => {
  expect(await ask(`tg_sk_${'A'.repeat(49)}`)).toBe('401 invalid_key')
  expect(await ask(good.slice(0, -1))).toBe('401 invalid_key')
  expect(lookups).toEqual([])
  expect(await ask(good)).toBe('200 ok')
  expect(lookups).toHaveLength(1)
})

test('a wrong key is looked up once in a while, and again when keys changed', async () => {
  for (let times = 0; times < 3; times++) expect(await ask('some-older-key-text')).toBe('401 invalid_key')
  expect(lookups).toHaveLength(1)
  answers.set(hashSecret('some-older-key-text'), found)
  changed()
  expect(await ask('some-older-key-text')).toBe('200 ok')
  expect(await ask('another-key-text')).toBe('401 invalid_key')
  answers.set(hashSecret('another-key-text'), found)
  clock.advance(5_000)
  expect(await ask('another-key-text')).toBe('200 ok')
})

test('an address that sends wrong keys must wait; its known key and other addresses go on', async () => {
  expect(await ask(good)).toBe('200 ok')
  for (let wrong = 0; wrong < WRONG_KEYS_MAX; wrong++) expect(await ask(`wrong-key-number-${wrong}`)).toBe('401 invalid_key')
  const refused = await app.inject({ url: '/v1/thing', headers: { authorization: 'Bearer wrong' }, remoteAddress: '192.0.2.1' })
  expect(refused.statusCode).toBe(429)
  expect(refused.json()).toMatchObject({ code: 'too_many_wrong_keys', detail: expect.stringContaining(String(WRONG_KEYS_MAX)) })
  expect(Number(refused.headers['retry-after'])).toBe(60)
  expect(lookups).toHaveLength(1 + WRONG_KEYS_MAX)
  expect(await ask(good)).toBe('200 ok')
  expect(await ask('wrong', { address: '192.0.2.2' })).toBe('401 invalid_key')
  clock.advance(60_000)
  expect(await ask('wrong')).toBe('401 invalid_key')
})

test('the address is the one that a trusted proxy names, and of IPv6 the network', async () => {
  for (let wrong = 0; wrong < WRONG_KEYS_MAX; wrong++) {
    await ask(`wrong-key-number-${wrong}`, { address: '10.0.0.1', forwardedFor: '203.0.113.7' })
    await ask(`wrong-key-number-${wrong}`, { address: `2001:db8::${wrong}` })
  }
  expect(await ask('wrong', { address: '10.0.0.1', forwardedFor: '203.0.113.7' })).toBe('429 too_many_wrong_keys')
  expect(await ask('wrong', { address: '10.0.0.1', forwardedFor: '203.0.113.8' })).toBe('401 invalid_key')
  expect(await ask('wrong', { address: '192.0.2.9', forwardedFor: '203.0.113.7' })).toBe('401 invalid_key')
  expect(await ask('wrong', { address: '2001:db8::ffff' })).toBe('429 too_many_wrong_keys')
  expect(await ask('wrong', { address: '2001:db8:0:1::1' })).toBe('401 invalid_key')
})

test('look-ups at once are bounded, and those of one key share one', async () => {
  let open = () => {}
  gate = new Promise((resolve) => {
    open = resolve
  })
  const { most } = HTTP_BOUNDS.keyLookups
  const waiting = Array.from({ length: most }, (_, index) => ask(`some-key-${index}`, { address: `192.0.2.${index}` }))
  const shared = ask('some-key-0', { address: '192.0.2.99' })
  while (lookups.length < most) await new Promise((resolve) => setImmediate(resolve))
  expect(await ask('one-more', { address: '192.0.2.98' })).toBe('503 too_many_key_lookups')
  open()
  expect(new Set(await Promise.all([...waiting, shared]))).toEqual(new Set(['401 invalid_key']))
  expect(lookups).toHaveLength(most)
})

test('a key ends at its instant although it is known, and is looked up once more', async () => {
  answers.set(hashSecret(good), { ...found, untilMs: (clock.now() + 1_000) as InstantMs })
  expect(await ask(good)).toBe('200 ok')
  clock.advance(999)
  expect(await ask(good)).toBe('200 ok')
  answers.delete(hashSecret(good))
  clock.advance(1)
  expect(await ask(good)).toBe('401 invalid_key')
  expect(lookups).toHaveLength(2)
})

test('a key that has ended is refused from the announcement on', async () => {
  expect(await ask(good)).toBe('200 ok')
  answers.delete(hashSecret(good))
  changed()
  expect(await ask(good)).toBe('401 invalid_key')
})

test('a key for some addresses is refused from others, also behind a proxy, and counts as no wrong key', async () => {
  answers.set(hashSecret(good), { ...found, allowedFrom: ['192.0.2.0/24', '2001:db8::/32'] })
  const forbidden = ['192.0.3.1', '2001:db9::1']
  for (const address of ['192.0.2.1', '192.0.2.255', '2001:db8::1', '::ffff:192.0.2.1']) expect(await ask(good, { address })).toBe('200 ok')
  for (let times = 0; times <= WRONG_KEYS_MAX; times++) {
    for (const address of forbidden) expect(await ask(good, { address })).toBe('403 address_not_allowed')
  }
  expect(await ask(good, { address: '10.0.0.1', forwardedFor: '192.0.2.7' })).toBe('200 ok')
  expect(await ask(good, { address: '192.0.3.1', forwardedFor: '192.0.2.7' })).toBe('403 address_not_allowed')
})

test('uses are written once a minute, each key once, and those of the last minute at the end', async () => {
  for (let times = 0; times < 3; times++) await ask(good)
  expect(used).toEqual([])
  clock.advance(60_000)
  await clock.turn()
  expect(used).toEqual(['k'])
  clock.advance(60_000)
  await clock.turn()
  expect(used).toEqual(['k'])
  await ask(good)
  await uses.stop()
  expect(used).toEqual(['k', 'k'])
})
