import { currencyOf, moneyText, parseMoney } from '../../domain/billing/money.ts'
import { orThrow } from '../../domain/refusal.ts'
import type { PlanInterval } from '../../domain/time/intervals.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { SUBSCRIPTIONS_MAX } from '../customers.ts'
import { namedInBody, type OwnPlan, type OwnSubscription, type Tollgate, unlessRefused } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { type Fields, fieldsOf, oneOf, optionalText, textOf } from './fields.ts'
import { pageJson, pageOf } from './pages.ts'

/** Subscriptions. A Kelviq plan has several charge periods and ours has one: `pro` may have `pro:year` beside it. */
export async function subscriptionRoutes(app: HttpApp, { own }: VendorKit): Promise<void> {
  app.get('/subscriptions/', { config: ANY_KEY }, async (request) => {
    const query = fieldsOf(request.query)
    const wanted = pageOf(query)
    const customer = textOf(query, 'customer_id')
    const tollgate = own(request)
    const { data } = await tollgate.subscriptions({ customer, limit: SUBSCRIPTIONS_MAX })
    const shown = data.slice((wanted.page - 1) * wanted.pageSize, wanted.page * wanted.pageSize)
    const items = await Promise.all(shown.map((subscription) => subscriptionJson(tollgate, subscription)))
    return pageJson(request, wanted, { items, count: data.length })
  })

  app.get<Params>('/subscriptions/:id/', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    return await subscriptionJson(tollgate, await tollgate.subscription(request.params.id))
  })

  app.post('/subscriptions/create/', { config: ANY_KEY }, async (request, reply) => {
    const fields = fieldsOf(request.body)
    const tollgate = own(request)
    const { key: plan } = await planOf(tollgate, fields)
    const made = await namedInBody(tollgate.subscribe({ customer: textOf(fields, 'customer_id'), plan }))
    return reply.code(201).send(await subscriptionJson(tollgate, made))
  })

  app.post<Params>('/subscriptions/:id/update/', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    const { id } = await tollgate.subscription(request.params.id)
    const { key: plan } = await planOf(tollgate, fieldsOf(request.body))
    await tollgate.changeSubscription(id, { plan, at: 'now' })
    return { subscriptionId: id }
  })

  app.post<Params>('/subscriptions/:id/cancel/', { config: ANY_KEY }, async (request) => {
    const fields = fieldsOf(request.body)
    const type = oneOf(fields, 'cancellation_type', ['IMMEDIATE', 'CURRENT_PERIOD_ENDS', 'SPECIFIC_DATE'])
    const at = type === 'IMMEDIATE' ? 'now' : type === 'CURRENT_PERIOD_ENDS' ? 'periodEnd' : dateOf(fields)
    const { id, endAt } = await own(request).cancelSubscription(request.params.id, { at })
    return { message: `Subscription ${id} ends at ${endAt}.` }
  })
}

type Params = { Params: { readonly id: string } }

const INTERVALS = {
  ONE_TIME: 'once',
  DAILY: 'day',
  WEEKLY: 'week',
  TWENTY_EIGHT_DAYS: '28days',
  MONTHLY: 'month',
  THREE_MONTHS: '3months',
  SIX_MONTHS: '6months',
  YEARLY: 'year',
} as const satisfies Record<string, PlanInterval>
const PERIODS = Object.keys(INTERVALS) as (keyof typeof INTERVALS)[]

/** The plan of this identifier where its interval fits, else `<identifier>:<interval>`. */
export async function planOf(tollgate: Tollgate, fields: Fields): Promise<OwnPlan> {
  const identifier = textOf(fields, 'plan_identifier')
  const period = oneOf(fields, 'charge_period', PERIODS)
  const interval = INTERVALS[period]
  const named = await unlessRefused(tollgate.plan(identifier), 'unknown_plan', 'invalid_request')
  if (named?.interval === interval) return named
  const ofInterval = await unlessRefused(tollgate.plan(`${identifier}:${interval}`), 'unknown_plan', 'invalid_request')
  if (ofInterval?.interval === interval) return ofInterval
  if (named === null) return refuseInput('plan_identifier', `there is no plan '${identifier}'`)
  return refuseInput(
    'charge_period',
    `plan '${identifier}' has the period ${named.interval}, and there is no plan '${identifier}:${interval}'`,
  )
}

function dateOf(fields: Fields): string {
  const date = optionalText(fields, 'cancellation_date') ?? ''
  if (/^\d{4}-\d{2}-\d{2}$/.test(date)) return `${date}T00:00:00Z`
  return refuseInput('cancellation_date', 'cancellation_date must be a date such as 2026-12-24')
}

const RECURRENCES = {
  once: [null, null],
  day: [1, 'DAY'],
  week: [1, 'WEEK'],
  '28days': [28, 'DAY'],
  month: [1, 'MONTH'],
  '3months': [3, 'MONTH'],
  '6months': [6, 'MONTH'],
  year: [1, 'YEAR'],
} as const satisfies Record<PlanInterval, readonly [number | null, string | null]>

const STATUSES = { scheduled: 'incomplete', active: 'active', canceled: 'active', ended: 'cancelled' } as const

async function subscriptionJson(tollgate: Tollgate, subscription: OwnSubscription) {
  const { id, customer, planVersion, startAt, endAt, currentPeriod, status } = subscription
  const plan = await tollgate.plan(subscription.plan, planVersion)
  const product = await tollgate.product(plan.product)
  const [recurrenceUnit, recurrenceType] = RECURRENCES[plan.interval]
  return {
    id,
    externalSubscriptionId: null,
    startDate: startAt.slice(0, 10),
    endDate: endAt?.slice(0, 10) ?? null,
    billingPeriodStartTime: currentPeriod.start,
    billingPeriodEndTime: currentPeriod.end,
    amount: amountText(plan),
    currency: plan.currency,
    recurrence: recurrenceType === null ? null : `${recurrenceUnit} ${recurrenceType.toLowerCase()}`,
    recurrenceUnit,
    recurrenceType,
    billingType: recurrenceType === null ? 'ONE_TIME' : 'SUBSCRIPTION',
    status: STATUSES[status],
    trialDaysRemaining: 0,
    nextInvoiceDate: currentPeriod.end,
    customerId: customer,
    product: { id: product.key, identifier: product.key, name: product.name },
    plan: { identifier: plan.key, name: plan.name },
    ...{ features: [], files: [], links: [], license: [] },
  }
}

/** With the digits of its currency: `9.00`. */
function amountText({ currency, baseFee }: OwnPlan): string {
  const money = orThrow(currencyOf(currency))
  return moneyText(money, orThrow(parseMoney(money, baseFee ?? '0')))
}
