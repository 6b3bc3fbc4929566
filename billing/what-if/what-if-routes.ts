import { Readable } from 'node:stream'
import { Type } from 'typebox'
import type { PlanStore } from '../../adapters/database/plans/plan-store.ts'
import type { SubscriptionStore } from '../../adapters/database/subscriptions/subscription-store.ts'
import { type Currency, type Money, minus, moneyText, plus, zero } from '../../domain/billing/money.ts'
import { formatQuantity } from '../../domain/decimal.ts'
import type { CustomerKey, PlanKey, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, orThrow, refuse, refuseField, refuseFields } from '../../domain/refusal.ts'
import { validatePriceOverrides } from '../../rating/validate-price-overrides.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { instantJson, parseInstant } from '../../schemas/http/instants.ts'
import { type WhatIfInput, WhatIfInputSchema } from '../../schemas/http/what-if.ts'
import { type Compared, type ComparedLine, type Otherwise, type WhatIf, type WhatIfDeps, whatIf } from './what-if.ts'

export type WhatIfRoutesDeps = WhatIfDeps & {
  readonly plans: Pick<PlanStore, 'get'>
  readonly subscriptions: Pick<SubscriptionStore, 'get'>
}

export function whatIfRoutes(deps: WhatIfRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.post('/v1/what-if', { config: { scope: 'read', isHeavyRead: true }, schema: WHAT_IF }, async (request, reply) => {
      const asked = orThrow(await readWhatIf(deps, request.principal.tenant, request.body))
      reply.type('application/x-ndjson')
      return reply.send(Readable.from(rowsOf(whatIf(deps, asked), request.body.lines === true)) as never)
    })
  }
}

async function readWhatIf(deps: WhatIfRoutesDeps, tenant: TenantKey, input: WhatIfInput): Promise<Outcome<WhatIf>> {
  const { customers, subscriptions, usage = 'asBilled' } = input
  const otherwise = await readOtherwise(deps, tenant, input)
  if (isRefusal(otherwise)) return otherwise
  const startMs = parseInstant(input.from, 'from')
  if (isRefusal(startMs)) return startMs
  const endMs = parseInstant(input.to, 'to')
  if (isRefusal(endMs)) return endMs
  if (endMs <= startMs) return wrong('to', `to must be after from, was ${input.to}`)
  const named: CustomerKey[] = []
  for (const [index, id] of (subscriptions ?? []).entries()) {
    const subscription = await deps.subscriptions.get(tenant, id as SubscriptionId)
    if (subscription === null) return refuseField(`subscriptions[${index}]`, refuse('unknown_subscription', { subscription: id }))
    named.push(subscription.customer)
  }
  const of = subscriptions === undefined ? (customers as CustomerKey[] | undefined) : named
  return {
    ...{ tenant, otherwise, usage, span: { startMs, endMs } },
    ...(of !== undefined && { customers: of }),
    ...(subscriptions !== undefined && { subscriptions: new Set(subscriptions as SubscriptionId[]) }),
  }
}

/** A plan or prices: one of them, and not both. */
async function readOtherwise(
  { plans }: WhatIfRoutesDeps,
  tenant: TenantKey,
  { plan: key, priceOverrides }: WhatIfInput,
): Promise<Outcome<Otherwise>> {
  if ((key === undefined) === (priceOverrides === undefined)) return wrong('plan', 'give a plan or priceOverrides, one of both')
  if (key !== undefined) {
    const plan = await plans.get(tenant, key as PlanKey)
    return plan === null ? refuseField('plan', refuse('unknown_plan', { plan: key })) : { plan }
  }
  const prices = validatePriceOverrides(priceOverrides ?? {})
  return isRefusal(prices) ? prices : { prices }
}

function wrong(field: string, detail: string) {
  return refuseFields('invalid_amount', [{ field, code: 'invalid_amount', detail }])
}

/** A line per customer and currency, then one of totals per currency. */
async function* rowsOf(rows: AsyncIterable<Compared>, hasLines: boolean): AsyncIterable<string> {
  const totals = new Map<string, Sums & { readonly customers: number }>()
  for await (const { customer, lines, ...row } of rows) {
    const ofRow = hasLines && { lines: lines.map((line) => lineJson(row.currency, line)) }
    yield `${JSON.stringify({ customer, ...shown(row), ...ofRow })}\n`
    const known = totals.get(row.currency.code) ?? { ...row, billed: zero(), wouldBe: zero(), customers: 0 }
    totals.set(row.currency.code, { ...sumOf(known, row), customers: known.customers + 1 })
  }
  for (const { customers, ...total } of totals.values()) yield `${JSON.stringify({ totals: { customers, ...shown(total) } })}\n`
}

type Sums = Omit<Compared, 'customer' | 'lines'>

function sumOf(a: Sums, b: Sums) {
  return { ...a, billed: plus(a.billed, b.billed), wouldBe: plus(a.wouldBe, b.wouldBe) }
}

function lineJson(currency: Currency, { side, kind, item, feature, quantityNano, amount, period, ...of }: ComparedLine) {
  const named = { ...(item !== null && { item }), ...(feature !== null && { feature }) }
  const span = { from: instantJson(period.startMs), to: instantJson(period.endMs) }
  const { subscription, plan, planVersion } = of
  return {
    ...{ of: side, subscription, plan, planVersion, kind, ...named, ...span },
    ...(quantityNano !== null && { quantity: formatQuantity(quantityNano) }),
    amount: moneyText(currency, amount),
  }
}

function shown({ currency, billed, wouldBe }: Sums) {
  const text = (amount: Money) => moneyText(currency, amount)
  return { currency: currency.code, billed: text(billed), wouldBe: text(wouldBe), difference: text(minus(wouldBe, billed)) }
}

const WHAT_IF = {
  tags: ['invoices'],
  operationId: 'whatIf',
  summary: 'Past usage under another plan, or under other prices',
  description:
    'A line per customer, then totals by currency; base fees, charges and true-ups of the periods that begin from `from` and before `to`, before coupons, credits and taxes. `lines: true` shows what each row is the sum of. `asBilled` (default) counts what final lines counted, `now` all that is there.',
  body: WhatIfInputSchema,
  response: { 200: { description: 'Rows', content: { 'application/x-ndjson': { schema: Type.String() } } }, ...REFUSALS },
}
