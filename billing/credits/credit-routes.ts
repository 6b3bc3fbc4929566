import type { Static } from 'typebox'
import type { BillingSettingsStore } from '../../adapters/database/billing-settings/billing-settings-store.ts'
import type { CreditStore } from '../../adapters/database/credits/credit-store.ts'
import type { CustomerStore } from '../../adapters/database/customers/customer-store.ts'
import type { InTransaction } from '../../adapters/database/in-transaction.ts'
import type { Clock } from '../../base/clock.ts'
import { CREDIT_PRIORITY_DEFAULT, type Credit, leftOf } from '../../domain/billing/credit.ts'
import { type CreditUnit, moneyOfUnits, unitsOf } from '../../domain/billing/credit-unit.ts'
import { type Currency, currencyOf, type Money, moneyText, parseMoney, zero } from '../../domain/billing/money.ts'
import type { Customer } from '../../domain/catalog/customer.ts'
import type { CustomerKey, FeatureKey, InstantMs, TenantKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, orThrow, RefusalError, refuse, refuseField, refuseFields } from '../../domain/refusal.ts'
import { CustomerParamsSchema, REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import {
  CreditInputSchema,
  CreditListSchema,
  CreditParamsSchema,
  CreditQuerySchema,
  CreditSchema,
  CreditVoidQuerySchema,
} from '../../schemas/http/credits.ts'
import { instantJson, parseInstant } from '../../schemas/http/instants.ts'
import type { BookStores } from '../runs/book-page.ts'
import { readCurrency } from './credit-input.ts'
import { grantCredit } from './grant-credit.ts'
import { voidCredit } from './void-credit.ts'

export type CreditRoutesDeps = {
  readonly customers: Pick<CustomerStore, 'get'>
  readonly credits: Pick<CreditStore, 'get' | 'having'>
  readonly settings: Pick<BillingSettingsStore, 'get'>
  readonly write: InTransaction<BookStores>
  readonly clock: Clock
  readonly createId: () => string
}

export function creditRoutes({ customers, credits, settings, write, clock, createId }: CreditRoutesDeps): (app: HttpApp) => Promise<void> {
  const found = async (tenant: TenantKey, key: string): Promise<Customer> =>
    orThrow((await customers.get(tenant, key as CustomerKey)) ?? refuse('unknown_customer', { customer: key }))
  return async (app) => {
    app.post(
      '/v1/customers/:key/credits',
      { config: { scope: 'billing', isIdempotent: true }, schema: GRANT_CREDIT },
      async (request, reply) => {
        const { tenant } = request.principal
        const customer = await found(tenant, request.params.key)
        const nowMs = clock.now()
        const currency = orThrow(readCurrency(request.body.currency, customer))
        const { creditUnit } = await settings.get(tenant)
        const credit = orThrow(readCredit(request.body, currency, creditUnit, nowMs, createId))
        const of = { tenant, customer: customer.key, currency: currency.code, nowMs }
        const granted = orThrow(await write((stores) => grantCredit(stores, of, credit)))
        return reply.code(granted.isNew ? 201 : 200).send(creditJson(customer.key, currency, creditUnit, granted.credit))
      },
    )
    app.get('/v1/customers/:key/credits', { config: { scope: 'read' }, schema: LIST_CREDITS }, async (request) => {
      const { tenant } = request.principal
      const customer = await found(tenant, request.params.key)
      const currency = orThrow(readCurrency(request.query.currency, customer))
      const account = await credits.get(tenant, { customer: customer.key, currency: currency.code })
      const { creditUnit } = await settings.get(tenant)
      return { data: (account?.credits ?? []).map((credit) => creditJson(customer.key, currency, creditUnit, credit)) }
    })
    app.post('/v1/credits/:id/void', { config: { scope: 'billing', isIdempotent: true }, schema: VOID_CREDIT }, async (request) => {
      const { tenant } = request.principal
      const { id } = request.params
      const having = (await credits.having(tenant, id)).filter(
        ({ customer }) => request.query.customer === undefined || customer === request.query.customer,
      )
      const [of] = having
      if (of === undefined) throw new RefusalError(refuse('unknown_credit', { credit: id }))
      if (having.length > 1) throw new RefusalError(refuse('credit_of_several', { credit: id, customers: having.length }))
      const currency = orThrow(currencyOf(of.currency))
      const credit = orThrow(await write((stores) => voidCredit(stores, { tenant, ...of, nowMs: clock.now() }, id)))
      return creditJson(of.customer, currency, (await settings.get(tenant)).creditUnit, credit)
    })
  }
}

function readCredit(
  input: Static<typeof CreditInputSchema>,
  currency: Currency,
  unit: CreditUnit | null,
  nowMs: InstantMs,
  createId: () => string,
): Outcome<Credit> {
  const amount = readFace(input, currency, unit)
  if (isRefusal(amount)) return amount
  if (amount === 0n) return wrong('amount', 'amount must be above 0, was 0')
  const paid = readAmount('paid', input.paid ?? '0', currency)
  if (isRefusal(paid)) return paid
  const effectiveAtMs = input.effectiveAt === undefined ? nowMs : parseInstant(input.effectiveAt, 'effectiveAt')
  if (isRefusal(effectiveAtMs)) return effectiveAtMs
  const expiresAtMs = input.expiresAt === undefined ? null : parseInstant(input.expiresAt, 'expiresAt')
  if (isRefusal(expiresAtMs)) return expiresAtMs
  if (expiresAtMs !== null && expiresAtMs <= effectiveAtMs) {
    return wrong('expiresAt', `expiresAt must be after effectiveAt, which is ${instantJson(effectiveAtMs)}; was ${input.expiresAt}`)
  }
  const { kinds = null, features = null } = input.appliesTo ?? {}
  return {
    ...{ id: input.id ?? createId(), amount, paid, priority: input.priority ?? CREDIT_PRIORITY_DEFAULT },
    ...{ effectiveAtMs, expiresAtMs, createdAtMs: nowMs, appliesTo: { kinds, features: features as FeatureKey[] | null } },
    ...{ burned: zero(), expired: zero(), voided: zero() },
  }
}

/** An amount, or units in place of it. */
function readFace({ amount, units }: Static<typeof CreditInputSchema>, currency: Currency, unit: CreditUnit | null): Outcome<Money> {
  if (amount !== undefined && units === undefined) return readAmount('amount', amount, currency)
  if (units === undefined || amount !== undefined) return wrong('amount', 'a credit has an amount or units: give one of both')
  if (unit?.currency !== currency.code) {
    return wrong('units', `units need a creditUnit in ${currency.code}; PUT /v1/billing-settings names one, or give an amount`)
  }
  const money = moneyOfUnits(currency, unit, units)
  if (money !== null && money >= 0n) return money
  return wrong('units', `units must not be below 0 and come to whole minor units of ${currency.code} at ${unit.amount} each, was ${units}`)
}

function readAmount(field: string, given: string | number, currency: Currency): Outcome<Money> {
  const amount = parseMoney(currency, given)
  if (isRefusal(amount)) return refuseField(field, amount)
  return amount < 0n ? wrong(field, `${field} must not be below 0, was ${given}`) : amount
}

function wrong(field: string, detail: string) {
  return refuseFields('invalid_amount', [{ field, code: 'invalid_amount', detail }])
}

function creditJson(customer: CustomerKey, currency: Currency, unit: CreditUnit | null, credit: Credit): Static<typeof CreditSchema> {
  const { id, amount, paid, priority, effectiveAtMs, expiresAtMs, appliesTo } = credit
  const text = (money: Money) => moneyText(currency, money)
  return {
    ...{ id, customer, currency: currency.code, amount: text(amount), paid: text(paid), left: text(leftOf(credit)), priority },
    ...(unit?.currency === currency.code && {
      units: { name: unit.name, amount: unitsOf(currency, unit, amount), left: unitsOf(currency, unit, leftOf(credit)) },
    }),
    ...{ effectiveAt: instantJson(effectiveAtMs), expiresAt: expiresAtMs === null ? null : instantJson(expiresAtMs) },
    appliesTo: {
      ...(appliesTo.kinds !== null && { kinds: [...appliesTo.kinds] }),
      ...(appliesTo.features !== null && { features: [...appliesTo.features] }),
    },
  }
}

const TAGS = { tags: ['credits'] }

const GRANT_CREDIT = {
  ...TAGS,
  operationId: 'grantCredit',
  summary: 'Give a customer prepaid or given money, which pays for usage before tax',
  params: CustomerParamsSchema,
  body: CreditInputSchema,
  response: { 200: CreditSchema, 201: CreditSchema, ...REFUSALS },
}
const LIST_CREDITS = {
  ...TAGS,
  operationId: 'listCredits',
  summary: 'A customer’s credits in a currency, and what is left of each',
  params: CustomerParamsSchema,
  querystring: CreditQuerySchema,
  response: { 200: CreditListSchema, ...REFUSALS },
}
const VOID_CREDIT = {
  ...TAGS,
  operationId: 'voidCredit',
  summary: 'End a credit with what is left of it; what it has paid stays paid',
  params: CreditParamsSchema,
  querystring: CreditVoidQuerySchema,
  response: { 200: CreditSchema, ...REFUSALS },
}
