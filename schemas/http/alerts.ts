import { Type } from 'typebox'
import { CLOSED, CustomerNameSchema, DecimalSchema, InstantSchema, KeySchema } from './common.ts'
import { RECORD_TIMES } from './record-times.ts'

export const AlertInputSchema = Type.Object(
  {
    on: Type.Enum(['usage']),
    feature: { ...KeySchema, description: 'A metered one' },
    at: Type.Union([Type.String({ maxLength: 64 }), Type.Number()], {
      description: 'A quantity used in the period, or a percentage of the limit: `80%`; above 0',
      examples: ['80%'],
    }),
    customers: Type.Optional(
      Type.Array(CustomerNameSchema, { minItems: 1, maxItems: 1_000, description: 'By their keys; everybody when absent' }),
    ),
  },
  CLOSED,
)

export const AlertSchema = Type.Object({
  key: KeySchema,
  on: Type.Enum(['usage']),
  feature: KeySchema,
  at: Type.String({ examples: ['80%'] }),
  customers: Type.Union([Type.Array(Type.String()), Type.Null()], { description: 'Null: everybody' }),
  ...RECORD_TIMES,
})

export const ReachedAlertsSchema = Type.Object({
  data: Type.Array(
    Type.Object({
      alert: KeySchema,
      customer: Type.String(),
      feature: KeySchema,
      used: DecimalSchema,
      limit: Type.Union([DecimalSchema, Type.Null()]),
      share: Type.Union([DecimalSchema, Type.Null()], { description: 'Used of the limit, cut at 4 digits; null without a limit' }),
      period: Type.Object({ start: InstantSchema, end: Type.Union([InstantSchema, Type.Null()]) }),
    }),
  ),
})
