import { type Static, Type } from 'typebox'
import { parseQuantity } from '../../domain/decimal.ts'
import { AMOUNT_FRACTION_DIGITS_MAX, formatAmount, parseAmount } from '../../domain/money.ts'
import type { Tollgate } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import { MetadataSchema, OptionalText } from './bodies.ts'
import { termsOf } from './entitlements.ts'
import { planIntervalOf, resetOf } from './intervals.ts'

const Amount = Type.String({ maxLength: 64 })
const Nullable = <Schema extends ReturnType<typeof Type.Object>>(schema: Schema) => Type.Optional(Type.Union([schema, Type.Null()]))
const PriceSchema = Type.Object({
  type: Type.Enum(['flat', 'unit', 'tiered', 'package', 'dynamic']),
  amount: Type.Optional(Amount),
  paymentTerm: Type.Optional(Type.Enum(['in_advance', 'in_arrears'])),
  mode: Type.Optional(Type.Enum(['graduated', 'volume'])),
  quantityPerPackage: Type.Optional(Amount),
  minimumAmount: Type.Optional(Amount),
  maximumAmount: Type.Optional(Amount),
  tiers: Type.Optional(
    Type.Array(
      Type.Object({
        upToAmount: Type.Optional(Type.Union([Amount, Type.Null()])),
        flatPrice: Nullable(Type.Object({ amount: Amount })),
        unitPrice: Nullable(Type.Object({ amount: Amount })),
      }),
    ),
  ),
})
const RateCardSchema = Type.Object({
  type: Type.Enum(['flat_fee', 'usage_based']),
  key: Type.String(),
  name: OptionalText,
  featureKey: OptionalText,
  billingCadence: OptionalText,
  price: Nullable(PriceSchema),
  discounts: Type.Optional(Type.Unknown()),
  entitlementTemplate: Nullable(
    Type.Object({
      type: Type.Enum(['metered', 'boolean', 'static']),
      isSoftLimit: Type.Optional(Type.Boolean()),
      issueAfterReset: Type.Optional(Type.Number()),
      usagePeriod: OptionalText,
      config: Type.Optional(Type.String()),
    }),
  ),
})
export const PlanInputSchema = Type.Object({
  key: Type.String(),
  name: Type.String(),
  description: OptionalText,
  currency: Type.String(),
  billingCadence: Type.String(),
  metadata: MetadataSchema,
  phases: Type.Array(Type.Object({ key: Type.String(), name: OptionalText, rateCards: Type.Array(RateCardSchema) })),
})
export type PlanInput = Static<typeof PlanInputSchema>
type RateCard = Static<typeof RateCardSchema>
type OwnPlanInput = Parameters<Tollgate['putPlan']>[1]
type Charge = NonNullable<OwnPlanInput['charges']>[number]

/** All plans are of one product: a customer has one subscription at a time. */
export const PRODUCT = 'openmeter'

/** Our plan; refuses what would be priced otherwise than it says. */
export function ownPlanOf({ name, currency, billingCadence, phases }: PlanInput): OwnPlanInput {
  const [phase, second] = phases
  if (phase === undefined || second !== undefined) return refuseInput('phases', `a plan has one phase, had ${phases.length}`)
  const { rateCards } = phase
  const fees = rateCards.filter((card) => card.type === 'flat_fee' && card.price !== null && card.price !== undefined)
  const terms = new Set(fees.map((card) => card.price?.paymentTerm ?? 'in_advance'))
  if (terms.size > 1) return refuseInput('phases', 'flat fees of one plan are all in advance or all in arrears')
  for (const card of rateCards) refuseUnserved(card, billingCadence)
  return {
    ...{ product: PRODUCT, name, currency, interval: planIntervalOf('billingCadence', billingCadence) },
    ...(fees.length === 0 ? {} : { baseFee: sumOf(fees), baseFeeTiming: terms.has('in_arrears') ? 'arrears' : 'advance' }),
    charges: rateCards.flatMap(chargeOf),
    entitlements: rateCards.flatMap(entitlementOf),
  }
}

function refuseUnserved({ key, price, billingCadence, discounts }: RateCard, cadence: string): void {
  const field = `rateCards.${key}`
  if (discounts !== undefined && discounts !== null) refuseInput(field, `${field}: discounts are not served`)
  if (price === null || price === undefined) return
  if (price.type === 'dynamic') refuseInput(field, `${field}: dynamic prices are not served`)
  if (billingCadence !== cadence) refuseInput(field, `${field}: is billed with the plan, every ${cadence}, not ${billingCadence ?? 'once'}`)
}

function sumOf(fees: readonly RateCard[]): string {
  const amounts = fees.map(({ key, price }) => {
    const amount = parseAmount(price?.amount ?? '')
    return amount ?? refuseInput(`rateCards.${key}`, `amount must be a decimal of up to ${AMOUNT_FRACTION_DIGITS_MAX} fractional digits`)
  })
  return formatAmount(amounts.reduce((sum, amount) => sum + amount, 0n))
}

function chargeOf({ type, key, featureKey, price }: RateCard): Charge[] {
  if (type !== 'usage_based' || price === null || price === undefined) return []
  const bounds = {
    ...(price.minimumAmount === undefined ? {} : { minimum: price.minimumAmount }),
    ...(price.maximumAmount === undefined ? {} : { maximum: price.maximumAmount }),
  }
  const feature = featureKey ?? refuseInput(`rateCards.${key}`, 'a usage-based price needs a feature', 'missing')
  return [{ key, feature, price: ownPriceOf(key, price), ...bounds }]
}

function ownPriceOf(
  key: string,
  { type, amount = '0', mode, tiers = [], quantityPerPackage = '1' }: Static<typeof PriceSchema>,
): Charge['price'] {
  switch (type) {
    case 'unit':
      return { model: 'flat', unitAmount: amount }
    case 'package':
      return { model: 'package', amount, packageSize: quantityPerPackage }
    case 'tiered':
      return {
        model: mode === 'volume' ? 'volume' : 'tiered',
        tiers: tiers.map(({ upToAmount, flatPrice, unitPrice }) => ({
          upTo: upToAmount ?? null,
          ...(flatPrice === null || flatPrice === undefined ? {} : { flatAmount: flatPrice.amount }),
          ...(unitPrice === null || unitPrice === undefined ? {} : { unitAmount: unitPrice.amount }),
        })),
      }
    default:
      return refuseInput(`rateCards.${key}`, `a usage-based price is a unit, package or tiered one, was ${type}`)
  }
}

function entitlementOf({ key, featureKey, entitlementTemplate }: RateCard): NonNullable<OwnPlanInput['entitlements']> {
  if (entitlementTemplate === null || entitlementTemplate === undefined) return []
  const feature = featureKey ?? refuseInput(`rateCards.${key}`, 'an entitlement needs a feature', 'missing')
  const { usagePeriod, ...template } = entitlementTemplate
  if (template.type !== 'metered') return [{ feature, value: termsOf(template).value }]
  if (template.issueAfterReset !== undefined && parseQuantity(template.issueAfterReset) === null) {
    return refuseInput(`rateCards.${key}`, 'issueAfterReset must be a decimal of up to 9 fractional digits')
  }
  return [
    {
      ...{ feature, limit: template.issueAfterReset ?? 0, limitType: template.isSoftLimit === true ? 'soft' : 'hard' },
      reset: usagePeriod === null || usagePeriod === undefined ? 'interval' : resetOf('usagePeriod', usagePeriod),
    },
  ]
}
