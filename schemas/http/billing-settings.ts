import { Type } from 'typebox'
import { DueDaysSchema, GraceSchema, TaxRatesSchema } from './billing-terms.ts'
import { CLOSED, DecimalInputSchema, InstantSchema, KeySchema } from './common.ts'
import { RECORD_TIMES } from './record-times.ts'

const PrefixSchema = Type.String({ pattern: '^[A-Za-z0-9/_-]{0,16}$', description: 'Stands before the number' })
const SellerSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 256 }),
    address: Type.Optional(Type.String({ minLength: 1, maxLength: 1_024 })),
    taxId: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    footer: Type.Optional(Type.String({ minLength: 1, maxLength: 1_024 })),
  },
  CLOSED,
)

const CreditUnitSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 64 }),
    amount: Type.String({ maxLength: 32, description: 'What one unit is worth; above 0, with at most 12 fractional digits' }),
    currency: Type.String({ maxLength: 16, description: 'ISO 4217' }),
  },
  { ...CLOSED, description: 'Credits may be given in it, and are shown in it too' },
)

const SETTINGS = {
  graceMs: GraceSchema,
  dueDays: DueDaysSchema,
  autoFinalise: Type.Boolean({ description: 'Documents are made final by the clock; without it by `POST /v1/billing-runs` alone' }),
  issueZero: Type.Boolean({ description: 'A bill that comes to nothing is made too' }),
  lateWindowDays: Type.Integer({ minimum: 0, maximum: 400, description: 'How long after its time usage may come and is still billed' }),
  invoicePrefix: PrefixSchema,
  creditNotePrefix: PrefixSchema,
  taxRates: TaxRatesSchema,
  seller: Type.Union([SellerSchema, Type.Null()]),
  creditUnit: Type.Union([CreditUnitSchema, Type.Null()]),
}
export const BillingSettingsInputSchema = Type.Partial(Type.Object(SETTINGS), CLOSED)
export const BillingSettingsSchema = Type.Object(SETTINGS)

const DurationSchema = Type.Union(
  [Type.Literal('once'), Type.Literal('forever'), Type.Object({ invoices: Type.Integer({ minimum: 1, maximum: 1_000 }) }, CLOSED)],
  { description: 'On how many documents of a subscription it gives something' },
)
const COUPON = {
  percent: Type.Optional({ ...DecimalInputSchema, description: 'Above 0, at most 100; or an amount in place of it' }),
  amount: Type.Optional({ ...DecimalInputSchema, description: 'With a currency, and no more digits than it has' }),
  currency: Type.Optional(Type.String({ maxLength: 16, description: 'ISO 4217' })),
  features: Type.Optional(Type.Array(KeySchema, { minItems: 1, maxItems: 100, description: 'Lines of these alone; all when absent' })),
  duration: DurationSchema,
  redeemBy: Type.Optional({ ...InstantSchema, description: 'Subscriptions made from then on cannot have it' }),
  usesMax: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Subscriptions that may have it' })),
}
export const CouponInputSchema = Type.Object(COUPON, CLOSED)
export const CouponSchema = Type.Object({ key: KeySchema, ...COUPON, ...RECORD_TIMES })
