import { Type } from 'typebox'
import { formatQuantity, parseQuantity } from '../../domain/decimal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { bodyOf, OptionalNumber } from './bodies.ts'

/** Balances changed by hand: usage that is set, and units beside the plan's. */
export async function balanceRoutes(app: HttpApp, { own, clock }: VendorKit): Promise<void> {
  app.post('/balances.update', { config: ANY_KEY }, async (request) => {
    const body = bodyOf(request, UpdateSchema)
    const { customer_id: customer, feature_id: feature, usage, remaining, add_to_balance: added, included_grant: included } = body
    const tollgate = own(request)
    const balance = await tollgate.balance(customer, feature)
    if (included != null) {
      await tollgate.putOverride(customer, feature, {
        limit: included,
        ...(balance.limitType === null ? {} : { limitType: balance.limitType }),
      })
    }
    if (added != null) await tollgate.grant(customer, { feature, amount: added, ...expiryOf(body.expires_at, clock.now()) })
    const set = usage ?? (remaining == null ? null : usedWith(balance.limit, remaining))
    if (set !== null) {
      await tollgate.reportUsage({ customer, feature, quantity: set, behaviour: 'set' })
      await tollgate.balance(customer, feature, { waitMs: SEEN_WITHIN_MS })
    }
    return { success: true }
  })

  app.post('/balances.create', { config: ANY_KEY }, async (request) => {
    const body = bodyOf(request, CreateSchema)
    const { customer_id: customer, feature_id: feature, included_grant: included } = body
    const tollgate = own(request)
    await tollgate.balance(customer, feature)
    if (body.unlimited === true) await tollgate.putOverride(customer, feature, { limit: null })
    else if (body.reset != null)
      return refuseInput('reset', 'a balance that resets is not served: raise included_grant with balances.update')
    else if (included == null) return refuseInput('included_grant', 'included_grant is missing', 'missing')
    else await tollgate.grant(customer, { feature, amount: included, ...expiryOf(body.expires_at, clock.now()) })
    return { success: true }
  })
}

/** `set` is seen later than a report that adds. */
const SEEN_WITHIN_MS = 2_000

const NAMES = { customer_id: Type.String(), feature_id: Type.String(), included_grant: OptionalNumber, expires_at: OptionalNumber }
const UpdateSchema = Type.Object({ ...NAMES, usage: OptionalNumber, remaining: OptionalNumber, add_to_balance: OptionalNumber })
const CreateSchema = Type.Object({
  ...NAMES,
  unlimited: Type.Optional(Type.Boolean()),
  reset: Type.Optional(Type.Unknown()),
})

function expiryOf(expiresAtMs: number | null | undefined, nowMs: number) {
  if (expiresAtMs == null) return {}
  if (!(expiresAtMs > nowMs && expiresAtMs <= 8.64e15))
    return refuseInput('expires_at', 'expires_at must be a time to come, in milliseconds')
  return { expiresAt: new Date(expiresAtMs).toISOString() }
}

/** The usage with which so much remains. */
function usedWith(limit: string | null, remaining: number): string {
  const [of, left] = [parseQuantity(limit ?? ''), parseQuantity(remaining)]
  if (of === null) return refuseInput('remaining', 'remaining can be set of a balance with a limit alone')
  if (left === null || left > of) return refuseInput('remaining', `remaining must be a decimal up to ${limit}: add to the balance instead`)
  return formatQuantity(of - left)
}
