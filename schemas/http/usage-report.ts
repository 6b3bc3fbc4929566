import { Type } from 'typebox'
import { BalanceSchema } from './balance.ts'
import { CustomerNameSchema, DecimalInputSchema, DecimalSchema, InstantSchema, KeySchema } from './common.ts'

const BehaviourSchema = Type.Enum(['delta', 'set'], {
  description:
    '`delta` adds the quantity; below 0 it is a correction. `set` makes the usage of the feature in its period the quantity: whatever was counted before is replaced, and what comes later adds to it.',
})

export const UsageReportInputSchema = Type.Object(
  {
    customer: CustomerNameSchema,
    feature: KeySchema,
    quantity: Type.Union(DecimalInputSchema.anyOf, { description: 'Exact decimal, at most 9 fractional digits; not below 0 for a `set`' }),
    behaviour: BehaviourSchema,
    id: Type.Optional({ ...KeySchema, description: 'Your own id: a retry under it counts once, within 35 days' }),
    upTo: Type.Optional(
      Type.Literal('limit', {
        description:
          'Takes as much of the quantity as is left under the limit, hard or soft, and answers how much. Only for a `delta` above 0 of now',
      }),
    ),
    data: Type.Optional(
      Type.Object(
        {},
        {
          additionalProperties: true,
          description: "Properties that the dimensions of the feature's meter read; at most 4,096 bytes as JSON",
        },
      ),
    ),
    time: Type.Optional({
      ...InstantSchema,
      description: 'When it was used: decides window and period. At most 35 days ago and 1 hour ahead. Default: now',
    }),
  },
  { additionalProperties: false },
)

export const UsageReportSchema = Type.Object({
  id: Type.String({ description: 'Id of the event that the report became: read it with GET /v1/events/{id}' }),
  customer: CustomerNameSchema,
  feature: KeySchema,
  quantity: DecimalSchema,
  behaviour: BehaviourSchema,
  time: InstantSchema,
  taken: Type.Optional(Type.String({ description: 'Only with `upTo`: the part of the quantity that was used. At 0 there is no event' })),
  refused: Type.Optional(Type.String({ description: 'Only with `upTo`: the rest, which the limit left no room for' })),
  balance: Type.Optional({
    ...BalanceSchema,
    description: 'Only with `upTo`, with what was taken; absent while it cannot be said without a wait',
  }),
  period: Type.Optional(
    Type.Object(
      { start: InstantSchema, end: Type.Union([InstantSchema, Type.Null()]) },
      { description: 'Only for `set`: the period whose usage it replaces' },
    ),
  ),
})
