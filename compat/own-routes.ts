import type { FastifyRequest, InjectOptions } from 'fastify'
import type { Static, TSchema } from 'typebox'
import type { Balance, BalancesSchema } from '../schemas/http/balance.ts'
import type {
  CancelInputSchema,
  ChangeInputSchema,
  CustomerInputSchema,
  CustomerSchema,
  PlanSchema,
  ProductSchema,
  SubscriptionInputSchema,
  SubscriptionSchema,
} from '../schemas/http/catalog.ts'
import type { HttpApp } from '../schemas/http/common.ts'
import { AnsweredProblem, type Problem } from '../schemas/http/problem.ts'
import type { UsageReportInputSchema, UsageReportSchema } from '../schemas/http/usage-report.ts'

export type OwnCustomer = Static<typeof CustomerSchema>
export type OwnSubscription = Static<typeof SubscriptionSchema>
export type OwnPlan = Static<typeof PlanSchema>
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
      askRoute(app, request, method, path, body, query)
    const customerAt = (key: string) => `/v1/customers/${encodeURIComponent(key)}`
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

      ingest: (events: readonly object[], query?: OwnQuery) => ask<unknown>('POST', '/v1/events', events, query),
      reportUsage: (report: Input<typeof UsageReportInputSchema>) => ask<Input<typeof UsageReportSchema>>('POST', '/v1/usage', report),

      plan: (key: string, version?: number) => ask<OwnPlan>('GET', `/v1/plans/${encodeURIComponent(key)}`, undefined, { version }),
      product: (key: string) => ask<Input<typeof ProductSchema>>('GET', `/v1/products/${encodeURIComponent(key)}`),

      subscription: (id: string) => ask<OwnSubscription>('GET', subscriptionAt(id)),
      subscriptions: (query: OwnQuery) => ask<OwnPage<OwnSubscription>>('GET', '/v1/subscriptions', undefined, query),
      subscribe: (subscription: Input<typeof SubscriptionInputSchema>) => ask<OwnSubscription>('POST', '/v1/subscriptions', subscription),
      changeSubscription: (id: string, change: Input<typeof ChangeInputSchema>) =>
        ask<OwnSubscription>('POST', `${subscriptionAt(id)}/change`, change),
      cancelSubscription: (id: string, cancellation: Input<typeof CancelInputSchema>) =>
        ask<OwnSubscription>('POST', `${subscriptionAt(id)}/cancel`, cancellation),
    }
  }
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

async function askRoute<Answer>(
  app: HttpApp,
  asker: FastifyRequest,
  method: Method,
  path: string,
  body: unknown,
  query: OwnQuery | undefined,
): Promise<Answer> {
  const { authorization } = asker.headers
  const options: InjectOptions = {
    method,
    url: query === undefined ? path : `${path}?${queryText(query)}`,
    headers: { ...(authorization === undefined ? {} : { authorization }), host: asker.headers.host ?? 'localhost' },
    remoteAddress: asker.ip,
  }
  if (body !== undefined) Object.assign(options, { payload: JSON.stringify(body), headers: { ...options.headers, ...JSON_BODY } })
  const answer = await app.inject(options)
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
