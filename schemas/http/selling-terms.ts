import { Type } from 'typebox'
import { AGAIN, TRIAL_ENDS } from '../../domain/catalog/plan-selling.ts'
import { AmountSchema } from './billing-terms.ts'
import { CLOSED, DecimalInputSchema, KeySchema } from './common.ts'

export const QUANTITY_MAX = 100_000
const MONTHS_MAX = 1_200
const DAYS_MAX = 36_500
const DELIVERABLES_MAX = 50
const PRICES_MAX = 50

export const TermLengthSchema = Type.Union([
  Type.Object({ days: Type.Integer({ minimum: 1, maximum: DAYS_MAX }) }, CLOSED),
  Type.Object({ months: Type.Integer({ minimum: 1, maximum: MONTHS_MAX }) }, CLOSED),
])
const DeliverableSchema = Type.Union(
  [
    Type.Object(
      {
        key: KeySchema,
        kind: Type.Literal('download'),
        download: KeySchema,
        updatesFor: Type.Optional(Type.Object({ months: Type.Integer({ minimum: 1, maximum: MONTHS_MAX }) }, CLOSED)),
        maxDownloads: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
        keepAfterEnd: Type.Optional(Type.Boolean()),
      },
      CLOSED,
    ),
    Type.Object({ key: KeySchema, kind: Type.Literal('license'), policy: KeySchema }, CLOSED),
    Type.Object(
      {
        key: KeySchema,
        kind: Type.Literal('link'),
        url: Type.String({ minLength: 1, maxLength: 2_048 }),
        label: Type.String({ minLength: 1, maxLength: 128 }),
        keepAfterEnd: Type.Optional(Type.Boolean()),
      },
      CLOSED,
    ),
  ],
  { description: 'A file with its releases, a license key, or an address' },
)

/** How a plan is sold; absent fields have their default. */
export const PLAN_SELLING = {
  validFor: Type.Optional({
    ...TermLengthSchema,
    description: 'Of a plan sold once: how long it holds from the payment on; for good when absent',
  }),
  again: Type.Optional(
    Type.Enum([...AGAIN], {
      description: 'A plan sold once and bought again while it holds: limits add up (default), it holds longer, or it is refused',
    }),
  ),
  deliverables: Type.Optional(Type.Array(DeliverableSchema, { maxItems: DELIVERABLES_MAX, description: 'What the plan hands over' })),
  quantityMax: Type.Optional(
    Type.Integer({ minimum: 1, maximum: QUANTITY_MAX, description: 'The most units of one purchase; 100 when absent' }),
  ),
  payWhatYouWant: Type.Optional(
    Type.Object(
      { min: AmountSchema, suggested: AmountSchema, max: Type.Optional(AmountSchema) },
      { ...CLOSED, description: 'The visitor names what a unit costs, in place of `baseFee`' },
    ),
  ),
  prices: Type.Optional(
    Type.Array(Type.Object({ currency: Type.String({ maxLength: 16 }), baseFee: DecimalInputSchema }, CLOSED), {
      maxItems: PRICES_MAX,
      description: 'The price in further currencies',
    }),
  ),
  trial: Type.Optional(
    Type.Object(
      {
        days: Type.Integer({ minimum: 1, maximum: 365 }),
        requiresPayment: Type.Optional(Type.Boolean()),
        atEnd: Type.Optional(Type.Enum([...TRIAL_ENDS])),
      },
      CLOSED,
    ),
  ),
  isListed: Type.Optional(Type.Boolean({ description: 'Stands in the pricing table, and is sold by publishable keys' })),
  hasBuyLink: Type.Optional(Type.Boolean({ description: 'Sold by publishable keys, without standing in the pricing table' })),
}
