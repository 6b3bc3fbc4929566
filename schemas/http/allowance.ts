import { Type } from 'typebox'
import { GRANT_PRIORITY_DEFAULT, GRANT_PRIORITY_MAX, PLAN_PRIORITY } from '../../domain/allowance/grant.ts'
import { ENTITLEMENT_TERMS } from './catalog.ts'
import { CLOSED, CustomerNameSchema, DecimalInputSchema, DecimalSchema, InstantSchema, KeySchema, ListQuerySchema } from './common.ts'

const REASON_CHARACTERS_MAX = 512
/** The handler checks the bounds and names field and bound. */
const ResetIntervalSchema = Type.Enum(['hour', 'day', 'week', '28days', 'month', 'quarter', 'year', 'never'])

export const CustomerFeatureParamsSchema = Type.Object({ key: CustomerNameSchema, feature: KeySchema })

export const OverrideInputSchema = Type.Object(
  {
    ...ENTITLEMENT_TERMS,
    reset: Type.Optional({
      ...ResetIntervalSchema,
      description: "The plan's when absent, like anchor; without a plan never; periods count from the first override",
    }),
  },
  { ...CLOSED, description: 'Everything that the customer has of this feature; limit null or absent is unlimited' },
)
export const OverrideSchema = Type.Object({
  customer: CustomerNameSchema,
  feature: KeySchema,
  limit: Type.Optional(Type.Union([DecimalSchema, Type.Null()])),
  limitType: Type.Optional(Type.Enum(['hard', 'soft'])),
  reset: Type.Optional(ResetIntervalSchema),
  anchor: Type.Optional(Type.Enum(['subscription', 'calendar'])),
  rollover: Type.Optional(Type.Object({ percent: DecimalSchema, max: Type.Union([DecimalSchema, Type.Null()]) })),
  onUncertain: Type.Optional(Type.Enum(['deny', 'allow'])),
  value: Type.Optional(Type.Unknown()),
  since: { ...InstantSchema, description: 'The present terms are in force from here on' },
})

export const GrantInputSchema = Type.Object(
  {
    feature: KeySchema,
    amount: { ...DecimalInputSchema, description: 'Above 0' },
    priority: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: GRANT_PRIORITY_MAX,
        default: GRANT_PRIORITY_DEFAULT,
        description: `Lower burns first; the plan's own allowance has ${PLAN_PRIORITY}`,
      }),
    ),
    effectiveAt: Type.Optional({ ...InstantSchema, description: 'Now when absent; not in the past: up to a minute ago is now' }),
    expiresAt: Type.Optional(Type.Union([InstantSchema, Type.Null()], { description: 'Never when absent' })),
  },
  CLOSED,
)
export const GrantSchema = Type.Object({
  id: Type.String(),
  customer: CustomerNameSchema,
  feature: KeySchema,
  amount: DecimalSchema,
  priority: Type.Integer(),
  effectiveAt: InstantSchema,
  expiresAt: Type.Union([InstantSchema, Type.Null()]),
  voidedAt: Type.Union([InstantSchema, Type.Null()]),
  createdAt: InstantSchema,
})
export const GrantParamsSchema = Type.Object({
  id: Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', description: 'Made by the server' }),
})
export const GrantQuerySchema = Type.Object({ ...ListQuerySchema.properties, feature: Type.Optional(KeySchema) })

export const ResetInputSchema = Type.Object(
  { reason: Type.Optional(Type.Union([Type.String({ maxLength: REASON_CHARACTERS_MAX }), Type.Null()])) },
  CLOSED,
)
const FiguresSchema = Type.Object({
  used: DecimalSchema,
  remaining: Type.Union([DecimalSchema, Type.Null()], { description: 'Held units are not subtracted' }),
  overage: DecimalSchema,
})
export const ResetSchema = Type.Object({
  id: Type.String(),
  customer: CustomerNameSchema,
  feature: KeySchema,
  at: InstantSchema,
  by: Type.String({ description: 'Id of the API key' }),
  reason: Type.Union([Type.String(), Type.Null()]),
  before: FiguresSchema,
  after: FiguresSchema,
})
