import { type Static, Type } from 'typebox'
import { DECISION_CODES } from '../../domain/entitlements/decision.ts'
import { CustomerNameSchema, DecimalInputSchema, DecimalSchema, InstantSchema, KeySchema } from './common.ts'

/** Features of one request for decisions. */
const DECISIONS_MAX = 100

const BalanceSourceSchema = Type.Object({
  source: Type.Enum(['plan', 'rollover', 'grant', 'correction'], {
    description: 'correction: given back by negative usage, beyond what the period had used',
  }),
  id: Type.Optional(Type.String({ description: 'Only for a grant' })),
  priority: Type.Optional(Type.Integer({ description: 'Lower burns first, then the earliest expiry, then the oldest' })),
  amount: Type.Union([DecimalSchema, Type.Null()], { description: 'Null when unlimited' }),
  remaining: Type.Union([DecimalSchema, Type.Null()], { description: 'Held units are not subtracted. Null when unlimited' }),
  expiresAt: Type.Optional(InstantSchema),
})
export type BalanceSource = Static<typeof BalanceSourceSchema>

export const BalanceSchema = Type.Object(
  {
    feature: KeySchema,
    type: Type.Enum(['metered', 'boolean', 'config']),
    hasAccess: Type.Boolean({
      description:
        'Metered: with a hard limit, whether used + held is below it; with a soft limit or none, true. Boolean: whether it is on. Config: true. False without an entitlement.',
    }),
    limit: Type.Union([DecimalSchema, Type.Null()], {
      description: 'Includes grants and rolled-over units. Null when unlimited, and for boolean and config features',
    }),
    limitType: Type.Union([Type.Literal('hard'), Type.Literal('soft'), Type.Null()], {
      description: 'Null for boolean and config features',
    }),
    used: DecimalSchema,
    held: Type.String({ description: 'Kept back by reservations' }),
    remaining: Type.Union([DecimalSchema, Type.Null()], {
      description: 'limit − used + overage − held, never below 0; null when there is no limit',
    }),
    overage: Type.String({ description: 'Used beyond the limit; a grant that comes later does not cover it' }),
    period: Type.Union([Type.Object({ start: InstantSchema, end: InstantSchema }), Type.Null()], {
      description: 'Half-open; null when the usage never resets, and for boolean and config features',
    }),
    value: Type.Optional(Type.Unknown({ description: 'Config features: the value that the plan gives' })),
    sources: Type.Optional(
      Type.Array(BalanceSourceSchema, {
        description: 'Only for a metered feature, in an answer about one balance: what is left of each source, in burn order',
      }),
    ),
  },
  { description: 'What a customer has left of one feature, over all of its active subscriptions' },
)
export type Balance = Static<typeof BalanceSchema>

export const BalancesSchema = Type.Object({ data: Type.Array(BalanceSchema), nextCursor: Type.Null() })

export const DecisionRequestSchema = Type.Object(
  {
    customer: CustomerNameSchema,
    feature: Type.Optional({ ...KeySchema, examples: ['tokens'] }),
    quantity: Type.Optional(DecimalInputSchema),
    features: Type.Optional(
      Type.Array(Type.Object({ feature: KeySchema, quantity: Type.Optional(DecimalInputSchema) }, { additionalProperties: false }), {
        minItems: 1,
        maxItems: DECISIONS_MAX,
        description: 'In place of feature and quantity: several at once, each once',
      }),
    ),
  },
  { additionalProperties: false },
)

export const DecisionSchema = Type.Object({
  allowed: Type.Boolean(),
  code: Type.Enum([...DECISION_CODES], {
    description: 'uncertain_*: balances cannot be trusted at the moment, so the entitlement decides by its `onUncertain`',
  }),
  balance: Type.Optional({ ...BalanceSchema, description: 'Absent when the decision is uncertain' }),
})

/** The answer to several at once. */
export const DecisionsSchema = Type.Object({
  allowed: Type.Boolean({ description: 'Whether all are' }),
  decisions: Type.Array(Type.Object({ feature: KeySchema, ...DecisionSchema.properties }), { description: 'In the order asked' }),
})
