import { type Static, Type } from 'typebox'
import { DECISION_CODES } from '../../domain/decision.ts'
import { DecimalInputSchema, DecimalSchema, InstantSchema, KeySchema } from './common.ts'

export const BalanceSchema = Type.Object(
  {
    feature: KeySchema,
    type: Type.Enum(['metered', 'boolean', 'config']),
    hasAccess: Type.Boolean({
      description:
        'Metered: with a hard limit, whether used + held is below it; with a soft limit or none, true. Boolean: whether it is on. Config: true. False without an entitlement.',
    }),
    limit: Type.Union([DecimalSchema, Type.Null()], { description: 'Null when unlimited, and for boolean and config features' }),
    limitType: Type.Union([Type.Literal('hard'), Type.Literal('soft'), Type.Null()], {
      description: 'Null for boolean and config features',
    }),
    used: DecimalSchema,
    held: Type.String({ description: 'Kept back by reservations' }),
    remaining: Type.Union([DecimalSchema, Type.Null()], { description: 'limit − used − held, never below 0; null when there is no limit' }),
    overage: Type.String({ description: 'Used beyond the limit' }),
    period: Type.Union([Type.Object({ start: InstantSchema, end: InstantSchema }), Type.Null()], {
      description: 'Half-open; null when the usage never resets, and for boolean and config features',
    }),
    value: Type.Optional(Type.Unknown({ description: 'Config features: the value that the plan gives' })),
  },
  { description: 'What a customer has left of one feature, over all of its active subscriptions' },
)
export type Balance = Static<typeof BalanceSchema>

export const BalancesSchema = Type.Object({ data: Type.Array(BalanceSchema), nextCursor: Type.Null() })

export const DecisionRequestSchema = Type.Object(
  {
    customer: KeySchema,
    feature: KeySchema,
    quantity: Type.Optional(DecimalInputSchema),
  },
  { additionalProperties: false },
)

export const DecisionSchema = Type.Object({
  allowed: Type.Boolean(),
  code: Type.Enum([...DECISION_CODES]),
  balance: BalanceSchema,
})
