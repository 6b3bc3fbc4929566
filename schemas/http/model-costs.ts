import { Type } from 'typebox'
import { UNPRICED_STATUSES } from '../../domain/model-calls/model-cost-entry.ts'
import { CLOSED, DecimalInputSchema, DecimalSchema, InstantSchema } from './common.ts'
import { BoundSchema } from './instants.ts'

const NameSchema = Type.String({ minLength: 1, maxLength: 256, examples: ['gpt-x'] })
const KindSchema = Type.String({
  maxLength: 64,
  description: 'A part or quantity of a call, or `requests`',
  examples: ['input_text_tokens'],
})
const KindsSchema = Type.Array(KindSchema, { minItems: 1, maxItems: 64 })
const ValueSchema = Type.String({ minLength: 1, maxLength: 64 })
const ConditionSchema = Type.Object(
  {
    serviceTier: Type.Optional(ValueSchema),
    speed: Type.Optional(ValueSchema),
    region: Type.Optional(ValueSchema),
    inputAbove: Type.Optional({ ...DecimalInputSchema, description: 'All input tokens of the call are more than this' }),
    utc: Type.Optional(Type.String({ maxLength: 11, description: 'Half-open hours, over midnight too', examples: ['16:00-00:30'] })),
  },
  { ...CLOSED, minProperties: 1, description: 'All must hold' },
)
const RateSchema = Type.Object(
  {
    kinds: KindsSchema,
    amount: { ...DecimalInputSchema, description: 'What the provider charges for `per` units', examples: ['1.25'] },
    per: Type.Optional({ ...DecimalInputSchema, description: '1,000,000 by default' }),
    when: Type.Optional(ConditionSchema),
  },
  CLOSED,
)
const FactorSchema = Type.Object(
  { when: ConditionSchema, factor: { ...DecimalInputSchema, examples: ['0.5'] }, kinds: Type.Optional(KindsSchema) },
  { ...CLOSED, description: 'Multiplies the rates of these kinds, or of all' },
)
const IgnoredSchema = Type.Union([
  Type.Enum(['serviceTier', 'speed', 'region']),
  Type.Object({ serviceTier: Type.Optional(ValueSchema), speed: Type.Optional(ValueSchema), region: Type.Optional(ValueSchema) }, CLOSED),
])
const TERMS = {
  aliases: Type.Optional(Type.Array(NameSchema, { maxItems: 64, description: 'Names with one `*` for any text', examples: [['gpt-x-*']] })),
  rates: Type.Array(RateSchema, { maxItems: 128 }),
  factors: Type.Optional(Type.Array(FactorSchema, { maxItems: 32 })),
  free: Type.Optional(Type.Array(KindSchema, { maxItems: 64, description: 'What costs nothing' })),
  ignore: Type.Optional(
    Type.Array(IgnoredSchema, { maxItems: 32, description: 'Conditions that change no rate: any value, or the one named' }),
  ),
}
const ReasonSchema = Type.String({ minLength: 1, maxLength: 1_024 })

export const ModelCostParamsSchema = Type.Object({ provider: NameSchema, model: NameSchema })
export const ModelCostInputSchema = Type.Object(
  {
    ...TERMS,
    effectiveFrom: Type.Optional({ ...InstantSchema, description: 'Now when absent; in the past it needs a reason and changes no stamp' }),
    currency: Type.Optional(Type.String({ maxLength: 3, default: 'USD', description: 'One for all models of a tenant' })),
    reason: Type.Optional(ReasonSchema),
  },
  CLOSED,
)
export const ModelCostSchema = Type.Object({
  provider: Type.String(),
  model: Type.String(),
  revision: Type.Integer({ description: 'Counts from 1' }),
  effectiveFrom: InstantSchema,
  currency: Type.String(),
  ...TERMS,
  retired: Type.Boolean({ description: 'Prices nothing from then on' }),
  reason: Type.Union([Type.String(), Type.Null()]),
  createdAt: InstantSchema,
})
export const PutModelCostSchema = Type.Object({
  ...ModelCostSchema.properties,
  stampedEvents: Type.Integer({
    description:
      'Events since `effectiveFrom` that were priced otherwise; `POST /v1/recosts` prices them anew. Up to 200,000 are looked at',
  }),
})
export const ModelCostListSchema = Type.Object({ data: Type.Array(ModelCostSchema), nextCursor: Type.Null() })
export const AtQuerySchema = Type.Object({ at: Type.Optional({ ...InstantSchema, description: 'Now when absent' }) })
export const RetireQuerySchema = Type.Object({ reason: Type.Optional(ReasonSchema) })

const CostSchema = Type.Object({
  cost_micros: Type.Optional({ ...DecimalSchema, description: 'Millionths of the currency' }),
  cost_rates: Type.Optional(Type.String({ description: 'The revision: `provider/model@revision`' })),
  cost_status: Type.Optional(Type.Enum([...UNPRICED_STATUSES], { description: 'Why there is no cost' })),
  cost_missing: Type.Optional(Type.String({ description: 'The part without a rate, or the condition that no rate names' })),
})
export const QuoteInputSchema = Type.Object(
  {
    provider: NameSchema,
    model: NameSchema,
    usage: Type.Record(Type.String({ maxLength: 64 }), Type.Union([Type.Number(), Type.String({ maxLength: 256 }), Type.Boolean()]), {
      maxProperties: 64,
      description: 'Fields of a call: totals, parts, quantities, `service_tier`, `speed`, `region`',
      examples: [{ input_tokens: 1200, output_tokens: 300 }],
    }),
    at: Type.Optional(InstantSchema),
  },
  CLOSED,
)
export const QuoteSchema = Type.Object({
  ...CostSchema.properties,
  currency: Type.Union([Type.String(), Type.Null()]),
  lines: Type.Array(Type.Object({ kind: Type.String(), quantity: DecimalSchema, amount: DecimalSchema, micros: DecimalSchema })),
})

export const CallRangeQuerySchema = Type.Object({
  from: Type.Optional(BoundSchema('Event time, inclusive; a date is its start in UTC; by default 35 days before `to`')),
  to: Type.Optional(BoundSchema('Event time, exclusive; a date is its start in UTC; by default an hour ahead')),
})
export const UnpricedSchema = Type.Object({
  data: Type.Array(
    Type.Object({
      provider: Type.Union([Type.String(), Type.Null()]),
      model: Type.Union([Type.String(), Type.Null()]),
      status: Type.String(),
      missing: Type.Union([Type.String(), Type.Null()]),
      count: Type.Integer(),
      since: InstantSchema,
      samples: Type.Array(Type.String()),
    }),
  ),
  complete: Type.Boolean({ description: 'Whether all calls of the range were looked at' }),
})
export const CallStatusSchema = Type.Object({
  calls: Type.Integer(),
  byBasis: Type.Record(Type.String(), Type.Integer()),
  byWarning: Type.Record(Type.String(), Type.Integer()),
  byStatus: Type.Record(Type.String(), Type.Integer()),
  bySurface: Type.Record(Type.String(), Type.Integer()),
  complete: Type.Boolean({ description: 'Whether all calls of the range were looked at' }),
})
