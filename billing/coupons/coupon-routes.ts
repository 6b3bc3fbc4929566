import type { Static } from 'typebox'
import type { CouponRecord, CouponStore } from '../../adapters/database/coupons/coupon-store.ts'
import type { CouponDefinition } from '../../domain/billing/coupon-definition.ts'
import { currencyOf, parseMoney } from '../../domain/billing/money.ts'
import { formatQuantity, NANO, parseQuantity } from '../../domain/decimal.ts'
import type { FeatureKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, orThrow, refuse, refuseField, refuseFields } from '../../domain/refusal.ts'
import { CouponInputSchema, CouponSchema } from '../../schemas/http/billing-settings.ts'
import { KeyParamsSchema, REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'
import { instantJson, parseInstant } from '../../schemas/http/instants.ts'
import { CountedQuerySchema, recordTimesJson } from '../../schemas/http/record-times.ts'

export function couponRoutes({
  coupons,
}: {
  readonly coupons: Pick<CouponStore, 'put' | 'get' | 'list'>
}): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.put('/v1/coupons/:key', { config: { scope: 'billing' }, schema: PUT_COUPON }, async (request, reply) => {
      const coupon = orThrow(validateCoupon(request.params.key, request.body))
      const { value, result } = await coupons.put(request.principal.tenant, coupon)
      return reply.code(result === 'created' ? 201 : 200).send(couponJson(value))
    })
    app.get('/v1/coupons/:key', { config: { scope: 'read' }, schema: GET_COUPON }, async (request) => {
      const { key } = request.params
      return couponJson(orThrow((await coupons.get(request.principal.tenant, key)) ?? refuse('unknown_coupon', { coupon: key })))
    })
    app.get('/v1/coupons', { config: { scope: 'read' }, schema: LIST_COUPONS }, async (request) => {
      const { limit = LIMIT_DEFAULT, ...rest } = request.query
      const { data, ...page } = await coupons.list(request.principal.tenant, { limit, ...rest })
      return { ...page, data: data.map(couponJson) }
    })
  }
}

const LIMIT_DEFAULT = 100
const HUNDRED_NANO = 100n * NANO

function validateCoupon(key: string, input: Static<typeof CouponInputSchema>): Outcome<CouponDefinition> {
  const { features, duration, redeemBy, usesMax } = input
  const off = readOff(input)
  if (isRefusal(off)) return off
  const redeemByMs = redeemBy === undefined ? null : parseInstant(redeemBy, 'redeemBy')
  if (isRefusal(redeemByMs)) return redeemByMs
  return {
    ...{ key, off, redeemByMs, usesMax: usesMax ?? null },
    features: features === undefined ? null : ([...new Set(features)] as FeatureKey[]),
    invoices: duration === 'forever' ? null : duration === 'once' ? 1 : duration.invoices,
  }
}

/** Percent or an amount with its currency: one of them, and not both. */
function readOff({ percent, amount, currency }: Static<typeof CouponInputSchema>): Outcome<CouponDefinition['off']> {
  if ((percent === undefined) === (amount === undefined)) {
    return wrong('percent', 'a coupon takes off a percent or an amount: give one of both')
  }
  if (percent !== undefined) {
    if (currency !== undefined) return wrong('currency', 'a percent has no currency; leave it out')
    const percentNano = parseQuantity(percent)
    if (percentNano !== null && percentNano > 0n && percentNano <= HUNDRED_NANO) return { percent: formatQuantity(percentNano) }
    const detail = `percent must be above 0 and at most 100 with at most 9 fractional digits, was ${percent}`
    return refuseFields('invalid_percent', [{ field: 'percent', code: 'invalid_percent', detail }])
  }
  if (currency === undefined || amount === undefined) return wrong('currency', 'an amount needs its currency')
  const known = currencyOf(currency)
  if (isRefusal(known)) return refuseField('currency', known)
  const minorUnits = parseMoney(known, amount)
  if (isRefusal(minorUnits)) {
    return refuseField('amount', refuse('amount_too_fine', { amount: String(amount), currency, digits: known.digits }))
  }
  return minorUnits > 0n ? { amount: String(amount), currency } : wrong('amount', `amount must be above 0, was ${amount}`)
}

function wrong(field: string, detail: string) {
  return refuseFields('invalid_amount', [{ field, code: 'invalid_amount', detail }])
}

function couponJson({ key, off, features, invoices, redeemByMs, usesMax, ...times }: CouponRecord): Static<typeof CouponSchema> {
  return {
    key,
    ...off,
    ...(features !== null && { features: [...features] }),
    duration: invoices === null ? 'forever' : invoices === 1 ? 'once' : { invoices },
    ...(redeemByMs !== null && { redeemBy: instantJson(redeemByMs) }),
    ...(usesMax !== null && { usesMax }),
    ...recordTimesJson(times),
  }
}

const TAGS = { tags: ['coupons'] }

const PUT_COUPON = {
  ...TAGS,
  operationId: 'putCoupon',
  summary: 'Make or change a coupon; what is billed already keeps what it gave',
  params: KeyParamsSchema,
  body: CouponInputSchema,
  response: { 200: CouponSchema, 201: CouponSchema, ...REFUSALS },
}
const GET_COUPON = {
  ...TAGS,
  operationId: 'getCoupon',
  summary: 'A coupon',
  params: KeyParamsSchema,
  response: { 200: CouponSchema, ...REFUSALS },
}
const LIST_COUPONS = {
  ...TAGS,
  operationId: 'listCoupons',
  summary: 'Coupons in the order of their keys',
  querystring: CountedQuerySchema,
  response: { 200: PageSchema(CouponSchema), ...REFUSALS },
}
