import type { OutgoingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import type { Static, TSchema } from 'typebox'
import type { EventJson } from '../api/usage/event-routes.ts'
import type { UsageJson } from '../api/usage/usage-routes.ts'
import type { GrantInputSchema, GrantSchema, OverrideInputSchema, OverrideSchema } from '../schemas/http/allowance.ts'
import type { Balance, BalancesSchema, DecisionRequestSchema, DecisionSchema } from '../schemas/http/balance.ts'
import type {
  CancelInputSchema,
  ChangeInputSchema,
  CustomerInputSchema,
  CustomerSchema,
  FeatureInputSchema,
  FeatureSchema,
  InvoiceSchema,
  MeterInputSchema,
  MeterSchema,
  PlanInputSchema,
  PlanSchema,
  ProductInputSchema,
  ProductSchema,
  SubscriptionInputSchema,
  SubscriptionSchema,
} from '../schemas/http/catalog.ts'
import type { HttpApp } from '../schemas/http/common.ts'
import type { ApiKeyInputSchema, NewApiKeySchema } from '../schemas/http/keys.ts'
import type { PriceInputSchema } from '../schemas/http/price.ts'
import { AnsweredProblem, type Problem } from '../schemas/http/problem.ts'
import type {
  ReservationInputSchema,
  ReservationSchema,
  ReservedSchema,
  SettledSchema,
  SettleInputSchema,
} from '../schemas/http/reservation.ts'
import type { UsageReportInputSchema, UsageReportSchema } from '../schemas/http/usage-report.ts'

export type OwnCustomer = Static<typeof CustomerSchema>
export type OwnSubscription = Static<typeof SubscriptionSchema>
export type OwnPlan = Static<typeof PlanSchema>
export type OwnMeter = Static<typeof MeterSchema>
export type OwnProduct = Static<typeof ProductSchema>
export type OwnFeature = Static<typeof FeatureSchema>
export type OwnOverride = Static<typeof OverrideSchema>
export type OwnGrant = Static<typeof GrantSchema>
export type OwnEvent = EventJson
export type OwnUsage = UsageJson
export type OwnPage<Item> = { readonly data: readonly Item[]; readonly nextCursor: string | null; readonly count?: number }
type Input<Schema extends TSchema> = Static<Schema>
export type OwnQuery = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

/**
 * Our own routes, asked within the process with the key of the request that is being answered. So a vendor's shape has the scopes,
 * checks, names, turns and audit of the route that it stands for, and no rule of its own. Each rejects with `AnsweredProblem`.
 */
export type Tollgate = ReturnType<OwnRoutes>
export type OwnRoutes = ReturnType<typeof createOwnRoutes>

export function createOwnRoutes(app: HttpApp) {
  return (request: FastifyRequest) => {
    const ask = <Answer>(method: Method, path: string, body?: unknown, query?: OwnQuery): Promise<Answer> =>
      askRoute(app, request, {
        ...{ method, path, query },
        ...(body === undefined ? {} : { headers: JSON_BODY, payload: JSON.stringify(body) }),
      })
    const customerAt = (key: string) => `/v1/customers/${encodeURIComponent(key)}`
    const reservationAt = (id: string) => `/v1/reservations/${encodeURIComponent(id)}`
    const meterAt = (key: string) => `/v1/meters/${encodeURIComponent(key)}`
    const featureAt = (key: string) => `/v1/features/${encodeURIComponent(key)}`
    const overrideAt = (customer: string, feature: string) => `${customerAt(customer)}/entitlements/${encodeURIComponent(feature)}`
    const subscriptionAt = (id: string) => `/v1/subscriptions/${encodeURIComponent(id)}`
    return {
      balances: (customer: string, query?: OwnQuery) =>
        ask<Input<typeof BalancesSchema>>('GET', `${customerAt(customer)}/balances`, undefined, query),
      balance: (customer: string, feature: string, query?: OwnQuery) =>
        ask<Balance>('GET', `${customerAt(customer)}/balances/${encodeURIComponent(feature)}`, undefined, query),

      customer: (key: string) => ask<OwnCustomer>('GET', customerAt(key)),
      customers: (query: OwnQuery) => ask<OwnPage<OwnCustomer>>('GET', '/v1/customers', undefined, query),
      putCustomer: (key: string, customer: Input<typeof CustomerInputSchema>) => ask<OwnCustomer>('PUT', customerAt(key), customer),
      archiveCustomer: (key: string) => ask<OwnCustomer>('POST', `${customerAt(key)}/archive`),

      /** The body as it came: it is unpacked, cut and judged once, by the route. */
      ingestBody: (headers: OutgoingHttpHeaders, body: Readable, query?: OwnQuery) =>
        askRoute<unknown>(app, request, { method: 'POST', path: '/v1/events', query, headers, payload: body }),
      ingest: (events: readonly object[], query?: OwnQuery) => ask<unknown>('POST', '/v1/events', events, query),
      events: (query: OwnQuery) => ask<OwnPage<OwnEvent>>('GET', '/v1/events', undefined, query),
      reportUsage: (report: Input<typeof UsageReportInputSchema>) => ask<Input<typeof UsageReportSchema>>('POST', '/v1/usage', report),

      meter: (key: string) => ask<OwnMeter>('GET', meterAt(key)),
      meters: (query: OwnQuery) => ask<OwnPage<OwnMeter>>('GET', '/v1/meters', undefined, query),
      putMeter: (key: string, meter: Input<typeof MeterInputSchema>) => ask<OwnMeter>('PUT', meterAt(key), meter),
      deleteMeter: (key: string) => ask<void>('DELETE', meterAt(key)),
      usage: (meter: string, query: OwnQuery) => ask<OwnUsage>('GET', `${meterAt(meter)}/usage`, undefined, query),

      feature: (key: string) => ask<OwnFeature>('GET', featureAt(key)),
      features: (query: OwnQuery) => ask<OwnPage<OwnFeature>>('GET', '/v1/features', undefined, query),
      putFeature: (key: string, feature: Input<typeof FeatureInputSchema>) => ask<OwnFeature>('PUT', featureAt(key), feature),
      archiveFeature: (key: string) => ask<OwnFeature>('POST', `${featureAt(key)}/archive`),

      override: (customer: string, feature: string) => ask<OwnOverride>('GET', overrideAt(customer, feature)),
      putOverride: (customer: string, feature: string, terms: Input<typeof OverrideInputSchema>) =>
        ask<OwnOverride>('PUT', overrideAt(customer, feature), terms),
      deleteOverride: (customer: string, feature: string) => ask<void>('DELETE', overrideAt(customer, feature)),
      resetBalance: (customer: string, feature: string) =>
        ask<unknown>('POST', `${customerAt(customer)}/balances/${encodeURIComponent(feature)}/reset`, {}),

      grant: (customer: string, grant: Input<typeof GrantInputSchema>) => ask<OwnGrant>('POST', `${customerAt(customer)}/grants`, grant),
      grants: (customer: string, query: OwnQuery) => ask<OwnPage<OwnGrant>>('GET', `${customerAt(customer)}/grants`, undefined, query),
      voidGrant: (id: string) => ask<OwnGrant>('POST', `/v1/grants/${encodeURIComponent(id)}/void`),

      decide: (question: Input<typeof DecisionRequestSchema>) => ask<Input<typeof DecisionSchema>>('POST', '/v1/decisions', question),
      reserve: (reservation: Input<typeof ReservationInputSchema>) =>
        ask<Input<typeof ReservedSchema>>('POST', '/v1/reservations', reservation),
      reservation: (id: string) => ask<Input<typeof ReservationSchema>>('GET', reservationAt(id)),
      settle: (id: string, settlement: Input<typeof SettleInputSchema>) =>
        ask<Input<typeof SettledSchema>>('POST', `${reservationAt(id)}/settle`, settlement),
      release: (id: string) => ask<unknown>('POST', `${reservationAt(id)}/release`, {}),

      rate: (question: { readonly price: Input<typeof PriceInputSchema>; readonly quantity: string; readonly currency: string }) =>
        ask<{ readonly amount: string; readonly exact: string }>('POST', '/v1/rate', question),
      createKey: (key: Input<typeof ApiKeyInputSchema>) => ask<Input<typeof NewApiKeySchema>>('POST', '/v1/keys', key),

      putProduct: (key: string, product: Input<typeof ProductInputSchema>) =>
        ask<Input<typeof ProductSchema>>('PUT', `/v1/products/${encodeURIComponent(key)}`, product),
      putPlan: (key: string, plan: Input<typeof PlanInputSchema>) => ask<OwnPlan>('PUT', `/v1/plans/${encodeURIComponent(key)}`, plan),
      archivePlan: (key: string) => ask<OwnPlan>('POST', `/v1/plans/${encodeURIComponent(key)}/archive`),
      upcomingInvoice: (subscription: string) =>
        ask<Input<typeof InvoiceSchema>>('GET', `${subscriptionAt(subscription)}/upcoming-invoice`),

      plans: (query: OwnQuery) => ask<OwnPage<OwnPlan>>('GET', '/v1/plans', undefined, query),
      plan: (key: string, version?: number) => ask<OwnPlan>('GET', `/v1/plans/${encodeURIComponent(key)}`, undefined, { version }),
      product: (key: string) => ask<Input<typeof ProductSchema>>('GET', `/v1/products/${encodeURIComponent(key)}`),

      subscription: (id: string) => ask<OwnSubscription>('GET', subscriptionAt(id)),
      subscriptions: (query: OwnQuery) => ask<OwnPage<OwnSubscription>>('GET', '/v1/subscriptions', undefined, query),
      subscribe: (subscription: Input<typeof SubscriptionInputSchema>) => ask<OwnSubscription>('POST', '/v1/subscriptions', subscription),
      changeSubscription: (id: string, change: Input<typeof ChangeInputSchema>) =>
        ask<OwnSubscription>('POST', `${subscriptionAt(id)}/change`, change),
      cancelSubscription: (id: string, cancellation: Input<typeof CancelInputSchema>) =>
        ask<OwnSubscription>('POST', `${subscriptionAt(id)}/cancel`, cancellation),
      uncancelSubscription: (id: string) => ask<OwnSubscription>('POST', `${subscriptionAt(id)}/uncancel`),
    }
  }
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

type Asked = {
  readonly method: Method
  readonly path: string
  readonly query: OwnQuery | undefined
  readonly headers?: OutgoingHttpHeaders
  readonly payload?: string | Readable
}

async function askRoute<Answer>(app: HttpApp, asker: FastifyRequest, { method, path, query, headers, payload }: Asked): Promise<Answer> {
  const { authorization, host = 'localhost' } = asker.headers
  const answer = await app.inject({
    method,
    url: query === undefined ? path : `${path}?${queryText(query)}`,
    headers: { ...headers, host, ...(authorization === undefined ? {} : { authorization }) },
    remoteAddress: asker.ip,
    ...(payload === undefined ? {} : { payload }),
  })
  if (answer.statusCode < 400) return (answer.payload === '' ? undefined : JSON.parse(answer.payload)) as Answer
  const retryAfterSeconds = answer.headers['retry-after']
  throw new AnsweredProblem(JSON.parse(answer.payload) as Problem, retryAfterSeconds === undefined ? undefined : Number(retryAfterSeconds))
}

const JSON_BODY = { 'content-type': 'application/json' }

/** A list repeats the parameter. */
function queryText(query: OwnQuery): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((each) => [name, String(each)] as [string, string]),
  )
  return new URLSearchParams(pairs).toString()
}

/** Null where the answer is a refusal with this code. */
export async function unlessRefused<Answer>(answer: Promise<Answer>, ...codes: readonly string[]): Promise<Answer | null> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof AnsweredProblem && codes.includes(error.problem.code)) return null
    throw error
  }
}

/** A thing that the vendor's call names in its body: that there is none is a wrong input (400), and no missing address (404). */
export async function namedInBody<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof AnsweredProblem) || error.problem.status !== 404) throw error
    throw new AnsweredProblem({ ...error.problem, status: 400 })
  }
}
