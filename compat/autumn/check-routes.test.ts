import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Fault } from '../../base/fault.ts'
import type { TenantKey } from '../../domain/identity.ts'
import { createHttpApp } from '../../runtime/http/http-app.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { createOwnRoutes } from '../own-routes.ts'
import type { VendorKit } from '../vendor.ts'
import { AUTUMN } from './autumn.ts'

let app: HttpApp
/** What our own routes answer: a decision, or null while the counters cannot be asked. */
let decision: { readonly allowed: boolean; readonly code: string } | null = null

beforeAll(async () => {
  app = createHttpApp({
    findPrincipal: () => ({ keyId: 'k1', tenant: 'default' as TenantKey, scopes: ['admin'] }),
    idempotency: { claim: async () => null, save: async () => undefined, release: async () => undefined },
    clock: systemClock,
    log: pino({ level: 'silent' }),
    registry: new Registry(),
    bodyBytesMax: 10_000,
    vendors: [AUTUMN],
  })
  const away = () => {
    throw new Fault('counters_rebuilding', 'partition 0 is behind', { canRetry: true, publicText: 'The counters are catching up.' })
  }
  app.post('/v1/decisions', { config: { scope: 'decide' } }, async () => decision ?? away())
  app.get('/v1/customers/:key/balances/:feature', { config: { scope: 'read' } }, async () => away())
  app.post('/v1/reservations', { config: { scope: 'decide' } }, async () => away())
  const kit = { own: createOwnRoutes(app), clock: systemClock, createId: () => 'id' } as unknown as VendorKit
  app.register(AUTUMN.routes(kit), { prefix: '/compat/autumn' })
  await app.ready()
})
afterAll(() => app.close())

const check = async (more: object) => {
  const payload = { customer_id: 'u1', feature_id: 'messages', ...more }
  const answer = await app.inject({
    method: 'POST',
    url: '/compat/autumn/v1/balances.check',
    headers: { authorization: 'Bearer k' },
    payload,
  })
  return { status: answer.statusCode, ...answer.json() }
}

// The client turns a 5xx into `allowed: true`, so each of these as a 503 would open every hard cap.
test.each([
  { name: 'a check', more: {} },
  { name: 'one that takes', more: { send_event: true } },
  { name: 'one that holds', more: { lock: { lock_id: 'l1', enabled: true } } },
])('$name while the counters are away is a no, and never a 5xx', async ({ more }) => {
  decision = null
  expect(await check(more)).toMatchObject({ status: 200, allowed: false, balance: null, flag: null })
})

test.each([
  { code: 'uncertain_denied', allowed: false },
  { code: 'uncertain_allowed', allowed: true },
])('while balances cannot be trusted it answers as onUncertain says: $code', async ({ code, allowed }) => {
  decision = { code, allowed }
  expect(await check({})).toMatchObject({ status: 200, allowed, balance: null })
})
