import { Type } from 'typebox'
import { CLOSED, DecimalInputSchema, InstantSchema, KeySchema } from './common.ts'

const OneOf = <const Values extends readonly string[]>(values: Values) => Type.Enum([...values] as readonly Values[number][])

const BaseFeeTimingSchema = OneOf(['advance', 'arrears'])
const ProrationSchema = Type.Object(
  { baseFee: OneOf(['exact', 'none']), tiers: OneOf(['whole', 'scaled']) },
  { ...CLOSED, description: 'What a part of a period costs: its exact share of the fee, or all of it; tables as printed, or shrunk' },
)
const CountsSchema = Type.Array(OneOf(['base', 'usage']), { minItems: 1, maxItems: 2 })
export const AmountSchema = { ...DecimalInputSchema, description: 'In the plan’s currency, with no more digits than it has' }
const MinimumSchema = Type.Object({ amount: AmountSchema, counts: Type.Optional(CountsSchema) }, CLOSED)
export const TaxRatesSchema = Type.Array(KeySchema, { maxItems: 10, description: 'Keys of tax rates' })
const PLAN_CREDITS_MAX = 10
const PlanCreditSchema = Type.Object(
  {
    amount: AmountSchema,
    priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
    expires: Type.Optional(OneOf(['periodEnd', 'never'])),
  },
  CLOSED,
)
/** How a plan is billed; absent fields have their default. */
export const PLAN_BILLING = {
  baseFeeTiming: Type.Optional(BaseFeeTimingSchema),
  proration: Type.Optional(ProrationSchema),
  minimum: Type.Optional(MinimumSchema),
  thresholdAmount: Type.Optional(AmountSchema),
  credits: Type.Optional(Type.Array(PlanCreditSchema, { maxItems: PLAN_CREDITS_MAX })),
}
export const CHARGE_BILLING = {
  minimum: Type.Optional(AmountSchema),
  maximum: Type.Optional(AmountSchema),
  taxRates: Type.Optional(TaxRatesSchema),
}

const GRACE_MS_MAX = 30 * 86_400_000
/** How long after its period's end a document with usage becomes final at the earliest. */
export const GraceSchema = Type.Integer({ minimum: 0, maximum: GRACE_MS_MAX })
export const DueDaysSchema = Type.Integer({ minimum: 0, maximum: 365 })

export const CUSTOMER_BILLING = {
  currency: Type.Optional(Type.String({ maxLength: 16, description: 'ISO 4217; for documents without a plan' })),
  taxRates: Type.Optional(TaxRatesSchema),
  taxExempt: Type.Optional(Type.Boolean()),
  taxId: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  address: Type.Optional(Type.String({ minLength: 1, maxLength: 1_024 })),
  graceMs: Type.Optional(GraceSchema),
  dueDays: Type.Optional(DueDaysSchema),
  timezone: Type.Optional(
    Type.String({
      maxLength: 64,
      description: 'IANA name. What begins from now on counts its periods and resets in it; what has begun keeps its own. UTC when absent',
      examples: ['Europe/Berlin'],
    }),
  ),
}

const COUPONS_MAX = 10
export const SUBSCRIPTION_BILLING = {
  timezone: Type.Optional(
    Type.String({
      maxLength: 64,
      description: 'IANA name in which periods and resets are counted; it never changes. The customer’s when absent, else UTC',
    }),
  ),
  commitment: Type.Optional(
    Type.Object({ amount: AmountSchema, from: InstantSchema, to: InstantSchema, counts: Type.Optional(CountsSchema) }, CLOSED),
  ),
  coupons: Type.Optional(Type.Array(KeySchema, { maxItems: COUPONS_MAX, description: 'Keys, in the order in which they are used' })),
}
