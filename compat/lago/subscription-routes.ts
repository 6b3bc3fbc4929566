import { Type } from 'typebox'
import { parseAmount } from '../../domain/money.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { SUBSCRIPTIONS_MAX } from '../customers.ts'
import { instantMsOf } from '../instant-ms.ts'
import { type Tollgate, unlessRefused } from '../own-routes.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { namedBody, OptionalText, pageJson, textOf } from './bodies.ts'
import { feeOf } from './plans.ts'
import { refuseValues } from './refuse-values.ts'
import { subscriptionJson, subscriptionRecords } from './subscriptions.ts'

/** Subscriptions, by the ids that the caller gives them: events name them, so each is a subject of its customer. */
export async function subscriptionRoutes(app: HttpApp, kit: VendorKit): Promise<void> {
  const { own, clock } = kit
  const records = subscriptionRecords(kit)

  app.post('/subscriptions', { config: ANY_KEY }, async (request) => {
    const { tenant } = request.principal
    const input = namedBody(request, 'subscription', SubscriptionSchema)
    const id = input.external_id ?? refuseValues({ external_id: ['value_is_mandatory'] })
    const tollgate = own(request)
    const plan = await tollgate.plan(input.plan_code)
    const known = await unlessRefused(tollgate.subscription(id), 'unknown_subscription')
    if (known !== null && known.status !== 'ended') {
      if (known.plan === plan.key)
        return { subscription: await subscriptionJson(kit, request, known, (await records.get(tenant, id))?.data) }
      const present = await tollgate.plan(known.plan, known.planVersion)
      const isCheaper = (parseAmount(plan.baseFee ?? feeOf(0)) ?? 0n) < (parseAmount(present.baseFee ?? feeOf(0)) ?? 0n)
      const changed = await tollgate.changeSubscription(id, { plan: plan.key, at: isCheaper ? 'periodEnd' : 'now' })
      return { subscription: await subscriptionJson(kit, request, changed, (await records.get(tenant, id))?.data) }
    }
    await nameAfter(tollgate, input.external_customer_id, id)
    const day = startOfDay(input.subscription_at == null ? clock.now() : instantMsOf(input.subscription_at))
    const billing_time = input.billing_time ?? 'calendar'
    const made = await tollgate.subscribe({
      ...{ id, customer: input.external_customer_id, plan: plan.key, startAt: day, allowSeveral: true },
      ...(billing_time === 'calendar' ? { anchor: `${day.slice(0, 8)}01T00:00:00.000Z` } : {}),
    })
    const { data } = await records.put(tenant, id, { billing_time, name: input.name ?? null })
    return { subscription: await subscriptionJson(kit, request, made, data) }
  })

  app.get('/subscriptions', { config: ANY_KEY }, async (request) => {
    const customer = textOf(request.query, 'external_customer_id')
    const code = textOf(request.query, 'plan_code')
    const tollgate = own(request)
    const { data } = await tollgate.subscriptions({ limit: SUBSCRIPTIONS_MAX, ...(customer === undefined ? {} : { customer }) })
    const statuses = [(request.query as Record<string, string | string[] | undefined>)['status[]'] ?? ['active']].flat()
    const shown = await Promise.all(data.map((each) => subscriptionJson(kit, request, each, undefined)))
    return pageJson(
      request.query,
      'subscriptions',
      shown.filter((each) => statuses.includes(each.status) && (code === undefined || each.plan_code === code)),
    )
  })

  app.get<Params>('/subscriptions/:id', { config: ANY_KEY }, async (request) => {
    const found = await own(request).subscription(request.params.id)
    return { subscription: await subscriptionJson(kit, request, found, (await records.get(request.principal.tenant, found.id))?.data) }
  })

  app.delete<Params>('/subscriptions/:id', { config: ANY_KEY }, async (request) => {
    const ended = await own(request).cancelSubscription(request.params.id, { at: 'now' })
    const data = (await records.get(request.principal.tenant, ended.id))?.data
    return { subscription: await subscriptionJson(kit, request, { ...ended, status: 'ended' }, data) }
  })
}

type Params = { Params: { readonly id: string } }
const SubscriptionSchema = Type.Object({
  ...{
    external_customer_id: Type.String(),
    plan_code: Type.String(),
    external_id: OptionalText,
    name: OptionalText,
    subscription_at: OptionalText,
  },
  billing_time: Type.Optional(Type.Enum(['calendar', 'anniversary'])),
})

/** Events name the subscription, so it is a subject of the customer, who is made where there is none. */
async function nameAfter(tollgate: Tollgate, customer: string, id: string): Promise<void> {
  const known = await unlessRefused(tollgate.customer(customer), 'unknown_customer')
  if (known === null) {
    await tollgate.putCustomer(customer, { subjects: [id] })
    return
  }
  const { key, createdAt: _created, updatedAt: _updated, archivedAt: _archived, ...kept } = known
  if (key !== id && !kept.subjects.includes(id)) await tollgate.putCustomer(key, { ...kept, subjects: [...kept.subjects, id] })
}

/** Lago's periods are whole days. */
function startOfDay(atMs: number): string {
  if (Number.isNaN(atMs)) return refuseValues({ subscription_at: ['invalid_date'] })
  return `${new Date(atMs).toISOString().slice(0, 10)}T00:00:00.000Z`
}
