import { randomUUID } from 'node:crypto'
import { beforeEach, expect, test } from 'vitest'
import type { EndedTokens, SigningKey } from '../../adapters/database/customer-tokens/customer-token-store.ts'
import type { CustomerKey, TenantKey } from '../../domain/identity.ts'
import { RefusalError } from '../../domain/refusal.ts'
import { createVirtualClock, type VirtualClock } from '../../test/support/virtual-clock.ts'
import { type CustomerTokens, createCustomerTokens } from './customer-tokens.ts'

const TENANT = 'default' as TenantKey
const ACME = 'acme' as CustomerKey
const DAY_MS = 86_400_000

/** An installation: what is in its database, and as many processes as are opened on it. */
function installation(clock: VirtualClock) {
  const keys: SigningKey[] = []
  const ended: EndedTokens[] = []
  const reads = { count: 0 }
  const listeners: (() => void)[] = []
  const store = {
    signingKeys: async () => {
      reads.count++
      return [...keys]
    },
    addSigningKey: async (key: SigningKey, dropBeforeMs: number) => {
      keys.splice(0, keys.length, key, ...keys.filter(({ createdAtMs }) => createdAtMs >= dropBeforeMs))
    },
    endedAfter: async (afterMs: number) => ended.filter(({ notBeforeMs }) => notBeforeMs > afterMs),
  }
  const feed = { subscribe: ({ changed }: { changed: () => void }) => void listeners.push(changed) }
  return {
    ...{ keys, reads },
    open: () => createCustomerTokens({ store, feed: feed as never, clock, createId: randomUUID }),
    end(customer: CustomerKey) {
      ended.push({ tenant: TENANT, customer, notBeforeMs: clock.now() })
      for (const changed of listeners) changed()
    },
  }
}

let clock: VirtualClock
let home: ReturnType<typeof installation>
let tokens: CustomerTokens

beforeEach(() => {
  clock = createVirtualClock(Date.UTC(2026, 0, 1))
  home = installation(clock)
  tokens = home.open()
})

const issue = async (of = tokens, ttlMs = 3_600_000) =>
  (await of.issue({ tenant: TENANT, customer: ACME, scopes: ['read'], origins: null, ttlMs })).token
const codeOf = async (token: string, of = tokens) => {
  try {
    return (await of.find(token)).token?.customer
  } catch (error) {
    if (error instanceof RefusalError) return error.refusal.code
    throw error
  }
}

test('a token says whose it is on every process of the installation, and on no other', async () => {
  const token = await issue()
  expect(await tokens.find(token)).toEqual({
    ...{ keyId: 'customer-token', tenant: TENANT, scopes: [] },
    token: { customer: ACME, scopes: ['read'], origins: null },
  })
  expect(await codeOf(token, home.open())).toBe(ACME)
  expect(await codeOf(token, installation(clock).open())).toBe('invalid_token')
})

test('a token that is known is answered at once, and asks nothing of the database', async () => {
  const token = await issue()
  await tokens.find(token)
  const before = home.reads.count
  for (let times = 0; times < 100; times++) expect(tokens.find(token)).not.toBeInstanceOf(Promise)
  for (let times = 0; times < 20; times++) await tokens.find(await issue())
  expect(home.reads.count).toBe(before)
})

test('a token that is changed in one letter, anywhere, is none', async () => {
  const token = await issue()
  for (let at = 0; at < token.length; at++) {
    // The last letter of a part may hold bits that mean nothing; the signature of another text is meant here.
    if (token[at] === '.' || token[at + 1] === '.' || at === token.length - 1) continue
    const changed = `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
    expect(await codeOf(changed)).toBe('invalid_token')
  }
})

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

test('a token that is not signed by us is none', async () => {
  const token = await issue()
  const [head = '', body = '', signature = ''] = token.split('.')
  const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString())
  const header = { alg: 'EdDSA', kid, typ: 'tollgate-customer+jwt' }
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString())
  for (const forged of [
    `${part({ ...header, alg: 'none' })}.${body}.`,
    `${part({ ...header, alg: 'none' })}.${body}.${signature}`,
    `${part({ ...header, alg: 'HS256' })}.${body}.${signature}`,
    `${part({ ...header, kid: 'other' })}.${body}.${signature}`,
    `${part({ ...header, typ: 'JWT' })}.${body}.${signature}`,
    `${head}.${part({ ...claims, tenant: 'other' })}.${signature}`,
    `${head}.${part({ ...claims, sub: 'globex' })}.${signature}`,
    `${head}.${body}`,
    `${head}.${body}.`,
    'eyJ',
    'eyJ..',
  ]) {
    expect(await codeOf(forged), forged).toBe('invalid_token')
  }
})

test('a token ends at its instant', async () => {
  const token = await issue(tokens, 60_000)
  clock.advance(59_999)
  expect(await codeOf(token)).toBe(ACME)
  clock.advance(1)
  expect(await codeOf(token)).toBe('token_expired')
  expect(await codeOf(token, home.open())).toBe('token_expired')
})

test('the tokens of a customer that were made until then can be ended, those of later are good', async () => {
  const process = home.open()
  const before = await issue()
  expect(await codeOf(before, process)).toBe(ACME)
  clock.advance(1)
  home.end(ACME)
  const later = await issue()
  expect([await codeOf(before), await codeOf(before, process), await codeOf(before, home.open())]).toEqual(Array(3).fill('token_ended'))
  expect([await codeOf(later), await codeOf(later, process)]).toEqual([ACME, ACME])
})

test('after a month another key signs; tokens of the one before are good until they expire, also where it is not known yet', async () => {
  const process = home.open()
  const first = await issue(tokens, DAY_MS)
  expect(await codeOf(first, process)).toBe(ACME)
  clock.advance(30 * DAY_MS - 1_000)
  const old = await issue(tokens, DAY_MS)
  clock.advance(2_000)
  const young = await issue(tokens, DAY_MS)
  expect(home.keys).toHaveLength(2)
  expect([await codeOf(old, process), await codeOf(young, process)]).toEqual([ACME, ACME])
  clock.advance(33 * DAY_MS)
  await issue()
  expect(home.keys).toHaveLength(1)
})

test('texts that name unknown keys are read up for at most once a second', async () => {
  const [, body = '', signature = ''] = (await issue()).split('.')
  const before = home.reads.count
  for (let times = 0; times < 50; times++) {
    const head = part({ alg: 'EdDSA', kid: `made-up-${times}`, typ: 'tollgate-customer+jwt' })
    expect(await codeOf(`${head}.${body}.${signature}`)).toBe('invalid_token')
    clock.advance(10)
  }
  expect(home.reads.count - before).toBeLessThanOrEqual(1)
})
