import { hash } from 'node:crypto'
import { Type } from 'typebox'
import type { Balance } from '../../schemas/http/balance.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { AnsweredProblem } from '../../schemas/http/problem.ts'
import { SUBSCRIPTIONS_MAX } from '../customers.ts'
import { type Tollgate, unlessRefused } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { bodyOf, Properties } from './bodies.ts'
import { balanceJson, flagJson, runningPlans } from './shapes.ts'

/** May they? It reads, takes what it allows (`send_event`), or holds it (`lock`). */
export async function checkRoutes(app: HttpApp, { own, clock, createId }: VendorKit): Promise<void> {
  app.post('/balances.check', { config: ANY_KEY }, async (request) => {
    const body = bodyOf(request, CheckSchema)
    const { customer_id: customer, feature_id: feature, required_balance: required = 1, lock, properties } = body
    const tollgate = own(request)
    const answer = (allowed: boolean, balance: Balance | null | undefined, flag: unknown = null) => ({
      ...{ allowed, customer_id: customer, required_balance: required, flag },
      balance: balance?.type === 'metered' ? balanceJson(balance) : null,
    })
    const holds = lock?.enabled === true ? lock : null
    try {
      if (holds === null && body.send_event !== true) return await decided(tollgate, customer, feature, required, answer)
      const before = await tollgate.balance(customer, feature)
      if (before.type !== 'metered') return refuseInput('send_event', `feature '${feature}' is not metered: nothing can be taken of it`)
      // Who is not entitled has no balance and takes nothing.
      if (before.sources === undefined) return answer(false, null)
      if (holds !== null) await refuseTakenLock(tollgate, holds.lock_id)
      const wanted = { customer, feature, quantity: required, ...(properties == null ? {} : { data: properties }) }
      const reserved = await unlessRefused(
        tollgate.reserve(
          holds === null
            ? { ...wanted, settle: true, id: idOf(request.headers['idempotency-key']) ?? createId() }
            : { ...wanted, id: holds.lock_id, ttlMs: ttlOf(holds.expires_at ?? null, clock.now()) },
        ),
        ...REFUSED,
      )
      if (reserved === null) return answer(false, await tollgate.balance(customer, feature))
      return answer(true, reserved.balance ?? (await tollgate.balance(customer, feature)))
    } catch (error) {
      // The SDK turns a failed server into a yes. While nobody knows, a no is what keeps a hard cap closed.
      if (error instanceof AnsweredProblem && error.problem.status === 503) return answer(false, null)
      throw error
    }
  })

  app.post('/balances.finalize', { config: ANY_KEY }, async (request) => {
    const { lock_id: id, action, override_value: override, properties } = bodyOf(request, FinalizeSchema)
    const tollgate = own(request)
    const held = await unlessRefused(tollgate.reservation(id), 'unknown_reservation')
    if (held?.status !== 'held') return refuseInput('lock_id', `Lock not found for ID: ${id}`)
    if (action === 'release') await tollgate.release(id)
    else await tollgate.settle(id, { quantity: override ?? held.quantity, ...(properties == null ? {} : { data: properties }) })
    return { success: true }
  })
}

const CheckSchema = Type.Object({
  customer_id: Type.String(),
  feature_id: Type.String(),
  required_balance: Type.Optional(Type.Number()),
  send_event: Type.Optional(Type.Boolean()),
  properties: Properties,
  lock: Type.Optional(
    Type.Object({ lock_id: Type.String(), enabled: Type.Optional(Type.Boolean()), expires_at: Type.Optional(Type.Number()) }),
  ),
})
const FinalizeSchema = Type.Object({
  lock_id: Type.String(),
  action: Type.Enum(['confirm', 'release']),
  override_value: Type.Optional(Type.Number({ minimum: 0 })),
  properties: Properties,
})

/** Refusals that are a no. */
const REFUSED = ['hard_limit_reached', 'no_entitlement', 'credits_exhausted', 'spend_cap_reached', 'subscription_paused']

async function decided<Answer>(
  tollgate: Tollgate,
  customer: string,
  feature: string,
  required: number,
  answer: (allowed: boolean, balance: Balance | null | undefined, flag?: unknown) => Answer,
): Promise<Answer> {
  // A balance below nothing is always there.
  const { allowed, code, balance } = await tollgate.decide({ customer, feature, quantity: Math.max(0, required) })
  if (code === 'no_entitlement') {
    await tollgate.customer(customer)
    return answer(false, null)
  }
  if (code !== 'feature_on') return answer(allowed || (required < 0 && balance?.type === 'metered'), balance)
  const { data } = await tollgate.subscriptions({ customer, limit: SUBSCRIPTIONS_MAX })
  return answer(true, null, flagJson(feature, await runningPlans(tollgate, data)))
}

async function refuseTakenLock(tollgate: Tollgate, id: string): Promise<void> {
  if ((await unlessRefused(tollgate.reservation(id), 'unknown_reservation')) === null) return
  const detail = `Lock ${id} exists already`
  throw new AnsweredProblem({ type: 'urn:tollgate:problem:lock', title: 'Lock exists', status: 409, detail, code: 'lock_already_exists' })
}

const TTL_MS = { least: 1_000, most: 86_400_000 }

/** Autumn's longest where it does not say; ours are at least a second. */
function ttlOf(expiresAtMs: number | null, nowMs: number): number {
  if (expiresAtMs === null) return TTL_MS.most
  return Math.min(TTL_MS.most, Math.max(TTL_MS.least, Math.floor(expiresAtMs - nowMs)))
}

/** The id of a report that may be sent again; undefined without a key. */
export function idOf(idempotencyKey: string | readonly string[] | undefined): string | undefined {
  return typeof idempotencyKey === 'string' ? `autumn:${hash('sha256', idempotencyKey)}` : undefined
}
