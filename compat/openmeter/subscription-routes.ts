import { Type } from 'typebox'
import type { HttpApp } from '../../schemas/http/common.ts'
import { customerKey, runningSubscription, SUBSCRIPTIONS_MAX } from '../customers.ts'
import type { OwnSubscription, Tollgate } from '../own-routes.ts'
import { namedInBody } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { bodyOf, given } from './bodies.ts'
import { refuseConflict } from './conflict.ts'
import { cadenceOf } from './intervals.ts'
import { cutPage, listOf, pageOf } from './lists.ts'

/** Subscriptions: one at a time of a customer. */
export async function subscriptionRoutes(app: HttpApp, { own }: VendorKit): Promise<void> {
  app.post('/api/v1/subscriptions', { config: ANY_KEY }, async (request, reply) => {
    const { customerKey: key, customerId, plan, timing, billingAnchor } = bodyOf(request, SubscriptionInputSchema)
    const tollgate = own(request)
    const customer = await customerKey(
      tollgate,
      key ?? customerId ?? refuseInput('customerKey', 'customerKey or customerId must be given', 'missing'),
    )
    const running = await runningSubscription(tollgate, customer)
    if (running !== null) return refuseConflict('subscription', running.id)
    const made = await tollgate.subscribe({
      ...{ customer, plan: plan.key },
      ...(timing === undefined || timing === 'immediate' ? {} : { startAt: timing }),
      ...given({ anchor: billingAnchor }),
    })
    return reply.code(201).send(await subscriptionJson(tollgate, made))
  })

  app.get<Params>('/api/v1/subscriptions/:id', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    const found = await subscriptionJson(tollgate, await tollgate.subscription(request.params.id))
    const phase = { id: `${found.id}:default`, key: 'default', name: 'Default', activeFrom: found.activeFrom, items: [], itemTimelines: {} }
    return { ...found, phases: [phase] }
  })

  app.get<Params>('/api/v1/customers/:id/subscriptions', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    const customer = await customerKey(tollgate, request.params.id)
    const statuses = listOf(request.query, 'status')
    const { data } = await tollgate.subscriptions({ customer, limit: SUBSCRIPTIONS_MAX })
    const wanted = data.filter(({ status }) => statuses.length === 0 || statuses.includes(STATUSES[status]))
    const page = cutPage(pageOf(request.query), wanted)
    return { ...page, items: await Promise.all(page.items.map((each) => subscriptionJson(tollgate, each))) }
  })

  app.post<Params>('/api/v1/subscriptions/:id/cancel', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    const { timing = 'immediate' } = bodyOf(request, TimingSchema)
    return await subscriptionJson(tollgate, await tollgate.cancelSubscription(request.params.id, { at: momentOf(timing) }))
  })

  app.post<Params>('/api/v1/subscriptions/:id/change', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    const { timing, plan } = bodyOf(request, ChangeSchema)
    const before = await tollgate.subscription(request.params.id)
    const after = await namedInBody(tollgate.changeSubscription(before.id, { plan: plan.key, at: momentOf(timing) }))
    return { current: await subscriptionJson(tollgate, before), next: await subscriptionJson(tollgate, after) }
  })
}

type Params = { Params: { readonly id: string } }
const PlanSchema = Type.Object({ key: Type.String(), version: Type.Optional(Type.Integer()) })
const SubscriptionInputSchema = Type.Object({
  customerKey: Type.Optional(Type.String()),
  customerId: Type.Optional(Type.String()),
  plan: PlanSchema,
  timing: Type.Optional(Type.String()),
  billingAnchor: Type.Optional(Type.String()),
})
const TimingSchema = Type.Object({ timing: Type.Optional(Type.String()) })
const ChangeSchema = Type.Object({ timing: Type.String(), plan: PlanSchema })

function momentOf(timing: string): string {
  if (timing === 'immediate') return 'now'
  return timing === 'next_billing_cycle' ? 'periodEnd' : timing
}

const STATUSES = { active: 'active', canceled: 'canceled', ended: 'inactive', scheduled: 'scheduled' } as const

async function subscriptionJson(tollgate: Tollgate, subscription: OwnSubscription) {
  const { id, customer, planVersion, status, startAt, endAt, anchor } = subscription
  const plan = await tollgate.plan(subscription.plan, planVersion)
  return {
    ...{ id, name: plan.name, customerId: customer, plan: { id: `${plan.key}:${planVersion}`, key: plan.key, version: planVersion } },
    ...{ status: STATUSES[status], currency: plan.currency, activeFrom: startAt },
    ...given({ activeTo: endAt, billingCadence: cadenceOf(plan.interval) }),
    ...{ billingAnchor: anchor, settlementMode: 'credit_then_invoice', createdAt: startAt, updatedAt: startAt },
  }
}
