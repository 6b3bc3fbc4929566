import type { Static } from 'typebox'
import type { PlanRecord, PlanStore } from '../../adapters/database/plans/plan-store.ts'
import type { SubscriptionStore } from '../../adapters/database/subscriptions/subscription-store.ts'
import type { Clock } from '../../base/clock.ts'
import { invariant } from '../../base/invariant.ts'
import { decidePlanChange, intervalAt, type PlanChange } from '../../domain/catalog/plan-change.ts'
import {
  cancelSubscription,
  changeInstant,
  ownPeriodAt,
  phaseAt,
  type Subscription,
  type SubscriptionPhase,
  subscriptionStatus,
  uncancelSubscription,
} from '../../domain/catalog/subscription.ts'
import type { WantedSubscription } from '../../domain/catalog/wanted-subscription.ts'
import type { CustomerKey, InstantMs, PlanKey, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, orThrow, refuse, refuseField } from '../../domain/refusal.ts'
import type { PlanInterval } from '../../domain/time/intervals.ts'
import { validatePriceOverrides } from '../../rating/validate-price-overrides.ts'
import {
  CancelInputSchema,
  ChangeInputSchema,
  REFUSALS,
  SubscriptionInputSchema,
  SubscriptionParamsSchema,
  SubscriptionQuerySchema,
  SubscriptionSchema,
} from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'
import { instantJson, parseInstant, periodJson, readMoment } from '../../schemas/http/instants.ts'
import { priceJson } from '../../schemas/http/price.ts'
import { readSubscriptionTerms, subscriptionTermsJson } from './subscription-terms.ts'

export type SubscriptionRoutesDeps = {
  readonly subscriptions: SubscriptionStore
  readonly plans: Pick<PlanStore, 'get'>
  readonly clock: Clock
  /** Awaited after each change, so that the next decision follows it already. */
  readonly onEntitlementsChanged: (tenant: TenantKey, customer: CustomerKey) => Promise<void>
}

export function subscriptionRoutes(deps: SubscriptionRoutesDeps): (app: HttpApp) => Promise<void> {
  const { subscriptions, plans, clock, onEntitlementsChanged } = deps
  const shown = async (tenant: TenantKey, subscription: Subscription) =>
    subscriptionJson(subscription, clock.now(), (phase) => intervalOf(plans, tenant, phase))
  const changed = async (tenant: TenantKey, subscription: Subscription) => {
    await onEntitlementsChanged(tenant, subscription.customer)
    return await shown(tenant, subscription)
  }

  return async (app) => {
    app.post(
      '/v1/subscriptions',
      { config: { scope: 'manage', isIdempotent: true }, schema: CREATE_SUBSCRIPTION },
      async (request, reply) => {
        const { tenant } = request.principal
        const plan = await plans.get(tenant, request.body.plan as PlanKey)
        const subscription = orThrow(await subscriptions.create(tenant, orThrow(readSubscription(request.body, plan))))
        return reply.code(201).send(await changed(tenant, subscription))
      },
    )
    app.get('/v1/subscriptions/:id', { config: { scope: 'read' }, schema: GET_SUBSCRIPTION }, async (request) => {
      const { tenant } = request.principal
      const id = request.params.id as SubscriptionId
      return await shown(tenant, orThrow((await subscriptions.get(tenant, id)) ?? refuse('unknown_subscription', { subscription: id })))
    })
    app.get('/v1/subscriptions', { config: { scope: 'read' }, schema: LIST_SUBSCRIPTIONS }, async (request) => {
      const { tenant } = request.principal
      const { limit = LIMIT_DEFAULT, customer, ...rest } = request.query
      const filter = customer === undefined ? {} : { customer: customer as CustomerKey }
      const { data, nextCursor } = await subscriptions.list(tenant, filter, { limit, ...rest })
      const intervals = new Map<string, Promise<PlanInterval>>()
      const intervalOnce = (phase: Phase) => {
        const name = `${phase.planVersion} ${phase.plan}`
        const interval = intervals.get(name) ?? intervalOf(plans, tenant, phase)
        intervals.set(name, interval)
        return interval
      }
      const nowMs = clock.now()
      return { data: await Promise.all(data.map((subscription) => subscriptionJson(subscription, nowMs, intervalOnce))), nextCursor }
    })
    app.post('/v1/subscriptions/:id/cancel', { config: { scope: 'manage' }, schema: CANCEL_SUBSCRIPTION }, async (request) => {
      const { tenant } = request.principal
      const id = request.params.id as SubscriptionId
      const nowMs = clock.now()
      const end = orThrow(readMoment(request.body.at))
      const canceled = await subscriptions.update(tenant, id, (subscription, planVersions) => {
        const interval = intervalAt(subscription, planVersions, nowMs)
        const atMs = typeof end === 'number' ? endInstant(subscription, end, nowMs) : changeInstant(subscription, interval, end, nowMs)
        if (isRefusal(atMs)) return atMs
        const ended = cancelSubscription(subscription, atMs)
        return request.body.invoice === 'now' ? { ...ended, endInvoiceNow: true } : ended
      })
      return await changed(tenant, orThrow(orThrow(canceled) ?? refuse('unknown_subscription', { subscription: id })))
    })
    app.post('/v1/subscriptions/:id/uncancel', { config: { scope: 'manage' }, schema: UNCANCEL_SUBSCRIPTION }, async (request) => {
      const { tenant } = request.principal
      const id = request.params.id as SubscriptionId
      const running = await subscriptions.update(tenant, id, (subscription) => uncancelSubscription(subscription, clock.now()))
      return await changed(tenant, orThrow(orThrow(running) ?? refuse('unknown_subscription', { subscription: id })))
    })
    app.post('/v1/subscriptions/:id/change', { config: { scope: 'manage' }, schema: CHANGE_SUBSCRIPTION }, async (request) => {
      const { tenant } = request.principal
      const id = request.params.id as SubscriptionId
      const to = orThrow((await plans.get(tenant, request.body.plan as PlanKey)) ?? unknownPlan(request.body.plan))
      const nowMs = clock.now()
      const { invoice, resetAnchor = false, priceOverrides } = request.body
      const change: PlanChange = {
        to,
        at: orThrow(readMoment(request.body.at)),
        isInvoicedNow: invoice === 'now',
        resetsAnchor: resetAnchor,
        ...(priceOverrides !== undefined && { priceOverrides: orThrow(validatePriceOverrides(priceOverrides, to)) }),
      }
      const moved = await subscriptions.update(tenant, id, (subscription, planVersions): Outcome<Subscription> => {
        const decided = refuseArchivedPlan(subscription, to, nowMs) ?? decidePlanChange(subscription, planVersions, change, nowMs)
        return isRefusal(decided) ? decided : decided.subscription
      })
      return await changed(tenant, orThrow(orThrow(moved) ?? refuse('unknown_subscription', { subscription: id })))
    })
  }
}

/** What a body asks for, on a plan that was looked up by its key. */
export function readSubscription(input: Static<typeof SubscriptionInputSchema>, on: PlanRecord | null): Outcome<WantedSubscription> {
  const { id, customer, plan, startAt, anchor, allowSeveral: allowsSeveral } = input
  if (on === null) return unknownPlan(plan)
  const terms = readSubscriptionTerms(input, on)
  if (isRefusal(terms)) return terms
  const priceOverrides = validatePriceOverrides(input.priceOverrides ?? {}, on)
  if (isRefusal(priceOverrides)) return priceOverrides
  const startMs = startAt === undefined ? undefined : parseInstant(startAt, 'startAt')
  if (isRefusal(startMs)) return startMs
  const anchorMs = anchor === undefined ? undefined : parseInstant(anchor, 'anchor')
  if (isRefusal(anchorMs)) return anchorMs
  const names = { id: id as SubscriptionId | undefined, customer: customer as CustomerKey, plan: plan as PlanKey }
  const ownPrices = Object.keys(priceOverrides).length > 0 && { priceOverrides }
  return { ...names, allowsSeveral, startMs, anchorMs, ...terms, ...ownPrices }
}

const LIMIT_DEFAULT = 100
const TAGS = { tags: ['subscriptions'] }

const CREATE_SUBSCRIPTION = {
  ...TAGS,
  operationId: 'createSubscription',
  summary: 'Subscribe a customer to the latest version of a plan',
  description:
    'A second one to the same product at the same time is refused unless it says `allowSeveral`. With an `id` of your own it may be repeated.',
  body: SubscriptionInputSchema,
  response: { 201: SubscriptionSchema, ...REFUSALS },
}
const GET_SUBSCRIPTION = {
  ...TAGS,
  operationId: 'getSubscription',
  summary: 'A subscription',
  params: SubscriptionParamsSchema,
  response: { 200: SubscriptionSchema, ...REFUSALS },
}
const LIST_SUBSCRIPTIONS = {
  ...TAGS,
  operationId: 'listSubscriptions',
  summary: 'Subscriptions, oldest first',
  querystring: SubscriptionQuerySchema,
  response: { 200: PageSchema(SubscriptionSchema), ...REFUSALS },
}
const CANCEL_SUBSCRIPTION = {
  ...TAGS,
  operationId: 'cancelSubscription',
  summary: 'End a subscription now, with its billing period, or at an instant to come',
  description: 'May be repeated; an end once set never moves later, unless it is taken back with `/uncancel` first.',
  params: SubscriptionParamsSchema,
  body: CancelInputSchema,
  response: { 200: SubscriptionSchema, ...REFUSALS },
}
const UNCANCEL_SUBSCRIPTION = {
  ...TAGS,
  operationId: 'uncancelSubscription',
  summary: 'Take a cancellation back, so that the subscription runs on',
  description: 'May be repeated. Changes of plan that the cancellation has dropped do not come back. An ended subscription stays ended.',
  params: SubscriptionParamsSchema,
  response: { 200: SubscriptionSchema, ...REFUSALS },
}
const CHANGE_SUBSCRIPTION = {
  ...TAGS,
  operationId: 'changeSubscription',
  summary: 'Move a subscription to the latest version of a plan: now, when its billing period ends, or at an instant to come',
  description: 'Replaces a change that has not begun yet; the plan in force again calls such a change off. Usage so far is kept.',
  params: SubscriptionParamsSchema,
  body: ChangeInputSchema,
  response: { 200: SubscriptionSchema, ...REFUSALS },
}

type Phase = { readonly plan: PlanKey; readonly planVersion: number }

async function intervalOf(plans: Pick<PlanStore, 'get'>, tenant: TenantKey, { plan, planVersion }: Phase): Promise<PlanInterval> {
  const version = await plans.get(tenant, plan, planVersion)
  invariant(version !== null, `version ${planVersion} of plan ${plan} is kept as a subscription is on it`)
  return version.interval
}

/** An end in the past would take back time that may have been billed. */
function endInstant({ id }: Subscription, atMs: InstantMs, nowMs: InstantMs): Outcome<InstantMs> {
  return atMs < nowMs ? refuse('end_in_past', { subscription: id, atMs, nowMs }) : atMs
}

async function subscriptionJson(
  subscription: Subscription,
  nowMs: InstantMs,
  intervalOfPhase: (phase: Phase) => Promise<PlanInterval>,
): Promise<Static<typeof SubscriptionSchema>> {
  const { id, customer, startMs, anchorMs, endMs, phases } = subscription
  const phase = phaseAt(subscription, nowMs)
  return {
    id,
    customer,
    plan: phase.plan,
    planVersion: phase.planVersion,
    status: subscriptionStatus(subscription, nowMs),
    startAt: instantJson(startMs),
    anchor: instantJson(anchorMs),
    endAt: endMs === null ? null : instantJson(endMs),
    ...subscriptionTermsJson(subscription),
    ...pricesJson(phase),
    currentPeriod: periodJson(ownPeriodAt(subscription, await Promise.all(phases.map(intervalOfPhase)), nowMs)),
    phases: phases.map(({ plan, planVersion, ...span }) => ({
      plan,
      planVersion,
      ...pricesJson(span),
      startAt: instantJson(span.startMs),
      endAt: span.endMs === null ? null : instantJson(span.endMs),
    })),
  }
}

function pricesJson({ priceOverrides }: Pick<SubscriptionPhase, 'priceOverrides'>) {
  if (priceOverrides === undefined) return {}
  return { priceOverrides: Object.fromEntries(Object.entries(priceOverrides).map(([charge, price]) => [charge, priceJson(price)])) }
}

/** Choosing the plan in force calls a change off, which sells nothing. */
function refuseArchivedPlan(subscription: Subscription, { plan, archivedMs }: PlanRecord, nowMs: InstantMs) {
  if (archivedMs === null || phaseAt(subscription, nowMs).plan === plan) return null
  return refuseField('plan', refuse('archived', { kind: 'plan', key: plan, archivedMs }))
}

function unknownPlan(plan: string) {
  return refuseField('plan', refuse('unknown_plan', { plan }))
}
