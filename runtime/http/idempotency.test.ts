import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { IDEMPOTENCY_BOUNDS } from '../../adapters/database/idempotency/idempotency-bounds.ts'
import type { TenantKey } from '../../domain/identity.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { systemClock } from '../process/system-clock.ts'
import { createHttpApp } from './http-app.ts'

let app: HttpApp
/** Claims that wait for the catalog. */
const waiting: (() => void)[] = []
let isCatalogSlow = false

beforeEach(() => {
  isCatalogSlow = false
  app = createHttpApp({
    findPrincipal: (secret) => {
      const [tenant, keyId] = secret.split(':')
      return { keyId: `${tenant}:${keyId}`, tenant: tenant as TenantKey, scopes: ['admin'] }
    },
    idempotency: {
      claim: () => (isCatalogSlow ? new Promise((resolve) => waiting.push(() => resolve(null))) : Promise.resolve(null)),
      save: async () => undefined,
      release: async () => undefined,
    },
    clock: systemClock,
    log: pino({ level: 'silent' }),
    registry: new Registry(),
    bodyBytesMax: 1_000,
  })
  app.register(async (routes) => {
    routes.post('/v1/things', { config: { scope: 'admin', isIdempotent: true } }, async (_request, reply) => reply.code(201).send({}))
  })
})
afterEach(async () => {
  for (const answer of waiting.splice(0)) answer()
  await app.close()
})

const create = (key: string, idempotencyKey: string) =>
  app.inject({
    method: 'POST',
    url: '/v1/things',
    headers: { authorization: `Bearer ${key}`, 'idempotency-key': idempotencyKey },
  })

test('a key of 256 characters is refused, one of 255 is taken', async () => {
  expect((await create('a:1', 'x'.repeat(256))).json()).toMatchObject({ status: 400, code: 'invalid_idempotency_key' })
  expect((await create('a:1', 'x'.repeat(255))).statusCode).toBe(201)
})

test('requests under way are shared: a key at its third is told so, others go on, and what ends makes room', async () => {
  isCatalogSlow = true
  const { most } = IDEMPOTENCY_BOUNDS.underWay
  const ofKey = Math.floor(most / 3)
  const taken = Array.from({ length: ofKey }, (_, n) => create('hog:1', `k${n}`))
  await expect.poll(() => waiting.length).toBe(ofKey)
  const refused = await create('hog:1', 'one more')
  expect(refused.json()).toMatchObject({ status: 503, code: 'overloaded', detail: expect.stringContaining('of this key hold') })
  expect(refused.headers['retry-after']).toBe('1')
  const ofOthers = [create('other:1', 'k'), create('third:1', 'k')]
  await expect.poll(() => waiting.length).toBe(ofKey + 2)
  for (const answer of waiting.splice(0)) answer()
  expect((await Promise.all([...taken, ...ofOthers])).every(({ statusCode }) => statusCode === 201)).toBe(true)
  isCatalogSlow = false
  expect((await create('hog:1', 'one more')).statusCode).toBe(201)
})
