import { type TSchema, Type } from 'typebox'
import { SUBSCRIPTION_STATUSES } from '../../domain/catalog/subscription.ts'
import { AGGREGATIONS } from '../../domain/metering/meter.ts'
import { EXPRESSION_CHARS_MAX } from '../../domain/metering/meter-expression.ts'
import { EVENT_TYPE_CHARS_MAX } from '../../domain/metering/usage-event.ts'
import { SCOPES } from '../../domain/principal.ts'
import { PLAN_INTERVALS, RESET_INTERVALS } from '../../domain/time/intervals.ts'
import { CHARGE_BILLING, CUSTOMER_BILLING, PLAN_BILLING, SUBSCRIPTION_BILLING } from './billing-terms.ts'
import { DecimalInputSchema, DecimalSchema, InstantSchema, KeySchema, ListQuerySchema, ProblemSchema } from './common.ts'
import { PriceInputSchema, PriceSchema, RatedLineSchema } from './price.ts'

const CLOSED = { additionalProperties: false }
const NAME_CHARACTERS_MAX = 256
const Nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])
const OneOf = <const Values extends readonly string[]>(values: Values) => Type.Enum([...values] as readonly Values[number][])
const NameSchema = Type.String({ minLength: 1, maxLength: NAME_CHARACTERS_MAX })
const TextSchema = Type.String({ maxLength: 2_048 })

export const KeyParamsSchema = Type.Object({ key: KeySchema })
export const SubscriptionParamsSchema = Type.Object({
  id: { ...KeySchema, description: 'Made by the server, or by whoever made the subscription' },
})
export const PageQuerySchema = ListQuerySchema
/** Refusals of the catalog's routes. */
export const REFUSALS = {
  400: ProblemSchema,
  401: ProblemSchema,
  403: ProblemSchema,
  404: ProblemSchema,
  409: ProblemSchema,
  503: ProblemSchema,
}

export const VALUE_PATHS_MAX = 10
export const DIMENSIONS_MAX = 10
export const CONDITIONS_MAX = 10
const ValueSchema = Type.String({
  minLength: 1,
  maxLength: EXPRESSION_CHARS_MAX,
  description:
    'A property of `data`, nested with dots and quoted in brackets where its name has other characters; or an expression of several',
})
const PathSchema = Type.String({
  minLength: 1,
  maxLength: EXPRESSION_CHARS_MAX,
  description: 'A property of `data`, or coalesce of several',
})
const ComparableSchema = Type.Union([Type.String({ maxLength: 1_024 }), Type.Number(), Type.Boolean()])
const WhereSchema = Type.Record(
  Type.String(),
  Type.Union([
    Type.Object({ equals: ComparableSchema }, CLOSED),
    Type.Object({ in: Type.Array(ComparableSchema, { minItems: 1, maxItems: 100 }) }, CLOSED),
    Type.Object({ exists: Type.Boolean() }, CLOSED),
  ]),
  {
    maxProperties: CONDITIONS_MAX,
    description: 'Property to what it must be; events count when all conditions hold. Numbers and booleans are compared as their text',
    examples: [{ status: { equals: 'ok' }, error: { exists: false } }],
  },
)
const MeterRules = {
  where: Type.Optional(WhereSchema),
  onInexact: Type.Optional(
    Type.Enum(['round', 'refuse'], {
      description: 'A value of more than 9 fractional digits: rounded half away from zero (default), or left uncounted',
    }),
  ),
  allowNegative: Type.Optional(Type.Boolean({ description: 'Values below zero count too; by default they are left uncounted' })),
}

export const MeterInputSchema = Type.Object(
  {
    eventType: Type.String({ minLength: 1, maxLength: EVENT_TYPE_CHARS_MAX }),
    aggregation: OneOf(AGGREGATIONS),
    value: Type.Optional(
      Type.Union([ValueSchema, Type.Array(ValueSchema, { minItems: 1, maxItems: VALUE_PATHS_MAX })], {
        description: 'Several are read one by one and added per event. For all but count',
        examples: ['tokens', 'usage.prompt_tokens - coalesce(usage.prompt_tokens_details.cached_tokens, 0)'],
      }),
    ),
    dimensions: Type.Optional(
      Type.Record(Type.String(), PathSchema, {
        maxProperties: DIMENSIONS_MAX,
        description: 'Name to property',
        examples: [{ model: 'model' }],
      }),
    ),
    ...MeterRules,
  },
  CLOSED,
)
export const MeterSchema = Type.Object({
  key: KeySchema,
  eventType: Type.String(),
  aggregation: OneOf(AGGREGATIONS),
  value: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
  dimensions: Type.Record(Type.String(), Type.String()),
  ...MeterRules,
  status: Type.Union([Type.Literal('ready'), Type.Literal('backfilling')], {
    description: 'backfilling: events from before the meter was made or changed are still being counted',
  }),
})

const FilterSchema = Type.Record(Type.String(), Type.Array(Type.String({ maxLength: 1_024 }), { minItems: 1, maxItems: 100 }), {
  maxProperties: DIMENSIONS_MAX,
  description: 'Dimension to values that pass; all dimensions must',
  examples: [{ model: ['large', 'small'] }],
})
const FeatureTypeSchema = OneOf(['metered', 'boolean', 'config'])

export const FeatureInputSchema = Type.Object(
  {
    name: Type.Optional(NameSchema),
    type: FeatureTypeSchema,
    meter: Type.Optional(Nullable(KeySchema)),
    filter: Type.Optional(FilterSchema),
    unit: Type.Optional(Nullable(NameSchema)),
  },
  CLOSED,
)
export const FeatureSchema = Type.Object({
  key: KeySchema,
  name: Type.String(),
  type: FeatureTypeSchema,
  meter: Nullable(KeySchema),
  filter: FilterSchema,
  unit: Nullable(Type.String()),
})

export const ProductInputSchema = Type.Object({ name: NameSchema, description: Type.Optional(Nullable(TextSchema)) }, CLOSED)
export const ProductSchema = Type.Object({ key: KeySchema, name: Type.String(), description: Nullable(Type.String()) })

export const CHARGES_MAX = 200
export const ENTITLEMENTS_MAX = 500

/** Without the feature, and without its reset schedule. */
export const ENTITLEMENT_TERMS = {
  limit: Type.Optional(Nullable(DecimalInputSchema)),
  limitType: Type.Optional(OneOf(['hard', 'soft'])),
  anchor: Type.Optional(OneOf(['subscription', 'calendar'])),
  rollover: Type.Optional(Nullable(Type.Object({ percent: DecimalInputSchema, max: Type.Optional(Nullable(DecimalInputSchema)) }, CLOSED))),
  onUncertain: Type.Optional(
    Nullable(
      Type.Enum(['deny', 'allow'], {
        description: 'What decisions answer while balances cannot be trusted. Default: deny with a hard limit, else allow',
      }),
    ),
  ),
  value: Type.Optional(Type.Unknown({ description: 'Config features: any JSON but null. Boolean features: true unless it says false' })),
}

const EntitlementInputSchema = Type.Object(
  { feature: KeySchema, reset: Type.Optional(OneOf(RESET_INTERVALS)), ...ENTITLEMENT_TERMS },
  {
    ...CLOSED,
    description:
      'Metered features: limit (null or absent: unlimited), limitType (hard), reset (interval), anchor (subscription), rollover, onUncertain',
  },
)

export const PlanInputSchema = Type.Object(
  {
    product: KeySchema,
    name: NameSchema,
    currency: Type.String({ maxLength: 16, description: 'ISO 4217', examples: ['USD'] }),
    interval: OneOf(PLAN_INTERVALS),
    baseFee: Type.Optional(Nullable(DecimalInputSchema)),
    ...PLAN_BILLING,
    charges: Type.Optional(
      Type.Array(
        Type.Object(
          { key: KeySchema, feature: KeySchema, filter: Type.Optional(FilterSchema), price: PriceInputSchema, ...CHARGE_BILLING },
          CLOSED,
        ),
        {
          maxItems: CHARGES_MAX,
        },
      ),
    ),
    entitlements: Type.Optional(Type.Array(EntitlementInputSchema, { maxItems: ENTITLEMENTS_MAX })),
  },
  CLOSED,
)
export const PlanSchema = Type.Object({
  key: KeySchema,
  version: Type.Integer({ minimum: 1 }),
  product: KeySchema,
  name: Type.String(),
  currency: Type.String(),
  interval: OneOf(PLAN_INTERVALS),
  baseFee: Nullable(DecimalSchema),
  ...PLAN_BILLING,
  charges: Type.Array(Type.Object({ key: KeySchema, feature: KeySchema, filter: FilterSchema, price: PriceSchema, ...CHARGE_BILLING })),
  entitlements: Type.Array(
    Type.Object({
      feature: KeySchema,
      limit: Type.Optional(Nullable(DecimalSchema)),
      limitType: Type.Optional(OneOf(['hard', 'soft'])),
      reset: Type.Optional(OneOf(RESET_INTERVALS)),
      anchor: Type.Optional(OneOf(['subscription', 'calendar'])),
      rollover: Type.Optional(Type.Object({ percent: DecimalSchema, max: Nullable(DecimalSchema) })),
      onUncertain: Type.Optional(OneOf(['deny', 'allow'])),
      value: Type.Optional(Type.Unknown()),
    }),
  ),
})
/** The largest `integer` of PostgreSQL. */
const PLAN_VERSION_MAX = 2_147_483_647
export const PlanQuerySchema = Type.Object({
  version: Type.Optional(Type.Integer({ minimum: 1, maximum: PLAN_VERSION_MAX, description: 'The latest when absent' })),
})

export const SUBJECTS_MAX = 1_000
const METADATA_PROPERTIES_MAX = 50

export const CustomerInputSchema = Type.Object(
  {
    name: Type.Optional(Nullable(NameSchema)),
    email: Type.Optional(Nullable(Type.String({ minLength: 1, maxLength: 320 }))),
    subjects: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
        maxItems: SUBJECTS_MAX,
        description: 'Whatever events call this customer beside its key',
      }),
    ),
    metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { maxProperties: METADATA_PROPERTIES_MAX })),
    ...CUSTOMER_BILLING,
  },
  CLOSED,
)
export const CustomerSchema = Type.Object({
  key: KeySchema,
  name: Nullable(Type.String()),
  email: Nullable(Type.String()),
  subjects: Type.Array(Type.String()),
  metadata: Type.Record(Type.String(), Type.Unknown()),
  ...CUSTOMER_BILLING,
})

export const SubscriptionInputSchema = Type.Object(
  {
    id: Type.Optional({ ...KeySchema, description: 'Of your own: the same id again answers the subscription that there is' }),
    customer: KeySchema,
    plan: KeySchema,
    startAt: Type.Optional({ ...InstantSchema, description: 'Now when absent; may be past or to come. Begins on a whole second' }),
    anchor: Type.Optional({ ...InstantSchema, description: 'Billing and reset periods count from here; the start when absent' }),
    ...SUBSCRIPTION_BILLING,
    allowSeveral: Type.Optional(Type.Boolean({ description: 'May run beside another subscription of the customer to the same product' })),
  },
  CLOSED,
)
const MomentSchema = OneOf(['now', 'periodEnd'])
const EndSchema = Type.String({
  pattern: '^(now|periodEnd|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt].{1,40})$',
  description: '`now`, `periodEnd`, or an ISO 8601 instant to come',
  examples: ['periodEnd'],
})
const InvoiceMomentSchema = Type.Enum(['next', 'now'], {
  description: 'When fees of the change are billed: with the next document (default), or by one of their own',
})
export const CancelInputSchema = Type.Object({ at: EndSchema, invoice: Type.Optional(InvoiceMomentSchema) }, CLOSED)
export const ChangeInputSchema = Type.Object(
  {
    plan: KeySchema,
    at: MomentSchema,
    invoice: Type.Optional(InvoiceMomentSchema),
    resetAnchor: Type.Optional(Type.Boolean({ description: 'Periods count from the change on' })),
  },
  CLOSED,
)
export const SubscriptionQuerySchema = Type.Object({ ...ListQuerySchema.properties, customer: Type.Optional(KeySchema) })

export const PeriodSchema = Type.Object(
  { start: InstantSchema, end: Nullable(InstantSchema) },
  { description: 'Half-open; end is null when it never ends' },
)
const PhaseSchema = { plan: KeySchema, planVersion: Type.Integer({ minimum: 1 }) }
export const SubscriptionSchema = Type.Object({
  id: Type.String(),
  customer: KeySchema,
  ...PhaseSchema,
  status: Type.Enum([...SUBSCRIPTION_STATUSES], { description: 'canceled: runs on to endAt; ended: is over' }),
  startAt: InstantSchema,
  anchor: InstantSchema,
  endAt: Nullable(InstantSchema),
  ...SUBSCRIPTION_BILLING,
  currentPeriod: PeriodSchema,
  phases: Type.Array(Type.Object({ ...PhaseSchema, startAt: InstantSchema, endAt: Nullable(InstantSchema) })),
})

export const ApiKeyInputSchema = Type.Object(
  {
    name: NameSchema,
    scopes: Type.Array(OneOf(SCOPES), { minItems: 1, maxItems: SCOPES.length, description: 'admin includes the others' }),
  },
  CLOSED,
)
export const ApiKeySchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  scopes: Type.Array(OneOf(SCOPES)),
  createdAt: InstantSchema,
})
export const NewApiKeySchema = Type.Object({
  ...ApiKeySchema.properties,
  key: Type.String({ description: 'The secret, shown this once: only its hash is kept' }),
})

export const InvoiceSchema = Type.Object({
  subscription: Type.String(),
  ...PhaseSchema,
  currency: Type.String(),
  period: PeriodSchema,
  lines: Type.Array(
    Type.Object({
      kind: OneOf(['base', 'usage']),
      charge: Type.Optional(Type.String()),
      feature: Type.Optional(Type.String()),
      quantity: DecimalSchema,
      amount: { ...DecimalSchema, description: 'exact, rounded half up to the minor unit of the currency' },
      exact: DecimalSchema,
      tiers: Type.Optional(Type.Array(RatedLineSchema)),
    }),
  ),
  total: { ...DecimalSchema, description: 'Sum of the rounded lines' },
})
