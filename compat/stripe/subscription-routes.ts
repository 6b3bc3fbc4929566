import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { SUBSCRIPTIONS_MAX } from '../customers.ts'
import { namedInBody } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, CREATES, type VendorKit } from '../vendor.ts'
import { type Form, listIn, mergedMetadata, neededText, queryForm, textIn, wholeIn } from './forms.ts'
import { listJson } from './lists.ts'
import { planOfItems, type SubscriptionData, subscriptionJson, subscriptionRecords } from './subscriptions.ts'

/** Subscriptions to prices. */
export async function subscriptionRoutes(app: HttpApp, kit: VendorKit): Promise<void> {
  const { own, clock } = kit
  const records = subscriptionRecords(kit)

  app.post('/v1/subscriptions', { config: CREATES }, async (request) => {
    const form = (request.body ?? {}) as Form
    const items = listIn(form, 'items').map((item) => {
      const quantity = wholeIn(item as Form, 'quantity') ?? null
      return { price: neededText(item as Form, 'price'), quantity }
    })
    if (textIn(form, 'trial_period_days') !== undefined) return refuseInput('trial_period_days', 'trials are not served')
    const plan = await planOfItems(kit, request, items)
    const made = await namedInBody(own(request).subscribe({ customer: neededText(form, 'customer'), plan, allowSeveral: true }))
    const { data } = await records.put(request.principal.tenant, made.id, { items, metadata: mergedMetadata({}, form), canceledAt: null })
    return await subscriptionJson(kit, request, made, data)
  })

  app.get('/v1/subscriptions', { config: ANY_KEY }, async (request) => {
    const form = queryForm(request.query)
    const customer = neededText(form, 'customer')
    const status = textIn(form, 'status')
    const { data } = await own(request).subscriptions({ customer, limit: SUBSCRIPTIONS_MAX })
    const wanted = data.filter((each) => status === 'all' || (each.status === 'ended') === (status === 'canceled'))
    const known = await records.getAll(
      request.principal.tenant,
      wanted.map(({ id }) => id),
    )
    const shown = await Promise.all(wanted.map((each) => subscriptionJson(kit, request, each, known.get(each.id)?.data ?? NOTHING)))
    return listJson('/v1/subscriptions', form, shown.toReversed())
  })

  app.get<Params>('/v1/subscriptions/:id', { config: ANY_KEY }, async (request) => {
    const found = await own(request).subscription(request.params.id)
    return await subscriptionJson(kit, request, found, (await records.get(request.principal.tenant, found.id))?.data ?? NOTHING)
  })

  app.post<Params>('/v1/subscriptions/:id', { config: { scope: 'manage' } }, async (request) => {
    const form = (request.body ?? {}) as Form
    const tollgate = own(request)
    if (form.items !== undefined) return refuseInput('items', 'items of a subscription are not changed: cancel it and make another')
    let found = await tollgate.subscription(request.params.id)
    const data = (await records.get(request.principal.tenant, found.id))?.data ?? NOTHING
    const ending = textIn(form, 'cancel_at_period_end')
    if (ending === 'true') found = await tollgate.cancelSubscription(found.id, { at: 'periodEnd' })
    if (ending === 'false' && found.endAt !== null) found = await tollgate.uncancelSubscription(found.id)
    const canceledAt = found.endAt === null ? null : (data.canceledAt ?? Math.floor(clock.now() / 1_000))
    const changed = { ...data, canceledAt, metadata: mergedMetadata(data.metadata, form) }
    await records.put(request.principal.tenant, found.id, changed)
    return await subscriptionJson(kit, request, found, changed)
  })

  app.delete<Params>('/v1/subscriptions/:id', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    const before = await tollgate.subscription(request.params.id)
    if (before.status === 'ended') throw new RefusalError(refuse('unknown_subscription', { subscription: before.id }))
    const ended = await tollgate.cancelSubscription(before.id, { at: 'now' })
    const data = (await records.get(request.principal.tenant, ended.id))?.data ?? NOTHING
    const changed = { ...data, canceledAt: Math.floor(clock.now() / 1_000) }
    await records.put(request.principal.tenant, ended.id, changed)
    return { ...(await subscriptionJson(kit, request, { ...ended, status: 'ended' }, changed)), status: 'canceled' }
  })
}

type Params = { Params: { readonly id: string } }
/** Of a subscription that was not made through Stripe's shape. */
const NOTHING: SubscriptionData = { items: [], metadata: {}, canceledAt: null }
