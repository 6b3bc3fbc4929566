import { type TOptional, type TUnknown, Type } from 'typebox'
import type { HttpApp } from '../../schemas/http/common.ts'
import { SUBSCRIPTIONS_MAX } from '../customers.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { attach } from './attach.ts'
import { bodyOf, OptionalText } from './bodies.ts'
import { cancellations } from './subscriptions.ts'

/** Plans attached, and their end. */
export async function billingRoutes(app: HttpApp, kit: VendorKit): Promise<void> {
  const { own, clock } = kit

  app.post('/billing.attach', { config: ANY_KEY }, async (request) => {
    const {
      customer_id: customer,
      plan_id: plan,
      plan_schedule: schedule,
      redirect_mode: redirect,
      ...rest
    } = bodyOf(request, AttachSchema)
    if (redirect === 'always') return refuseInput('redirect_mode', 'there is no page to confirm on: send if_required')
    for (const field of UNSERVED) if (rest[field] != null) return refuseInput(field, `${field} is not served`)
    await attach(kit, request, { customer, plan, schedule: schedule ?? undefined })
    return { customer_id: customer, payment_url: null }
  })

  app.post('/billing.update', { config: ANY_KEY }, async (request) => {
    const { customer_id: customer, plan_id: plan, subscription_id: id, cancel_action: action, ...rest } = bodyOf(request, UpdateSchema)
    for (const field of UNSERVED) if (rest[field] != null) return refuseInput(field, `${field} is not served`)
    const tollgate = own(request)
    const { data } = await tollgate.subscriptions({ customer, limit: SUBSCRIPTIONS_MAX })
    const subscription = data.find((each) => each.status !== 'ended' && (id != null ? each.id === id : each.plan === plan))
    if (subscription === undefined) return refuseInput('plan_id', `customer '${customer}' has no running subscription to it`)
    if (action == null) return { customer_id: customer, payment_url: null }
    if (action === 'uncancel') {
      await tollgate.uncancelSubscription(subscription.id)
      await cancellations(kit).delete(request.principal.tenant, subscription.id)
    } else {
      await tollgate.cancelSubscription(subscription.id, { at: action === 'cancel_immediately' ? 'now' : 'periodEnd' })
      await cancellations(kit).put(request.principal.tenant, subscription.id, { atMs: clock.now() })
    }
    return { customer_id: customer, payment_url: null }
  })
}

/** What would change the price or the period, and must not be ignored. */
const UNSERVED = ['feature_quantities', 'customize', 'free_trial', 'version'] as const
const Unserved = Object.fromEntries(UNSERVED.map((field) => [field, Type.Optional(Type.Unknown())])) as Record<
  (typeof UNSERVED)[number],
  TOptional<TUnknown>
>

const AttachSchema = Type.Object({
  customer_id: Type.String(),
  plan_id: Type.String(),
  plan_schedule: Type.Optional(Type.Union([Type.Literal('immediate'), Type.Literal('end_of_cycle'), Type.Null()])),
  redirect_mode: OptionalText,
  ...Unserved,
})
const UpdateSchema = Type.Object({
  customer_id: Type.String(),
  plan_id: OptionalText,
  subscription_id: OptionalText,
  cancel_action: Type.Optional(
    Type.Union([Type.Literal('cancel_end_of_cycle'), Type.Literal('cancel_immediately'), Type.Literal('uncancel'), Type.Null()]),
  ),
  ...Unserved,
})
