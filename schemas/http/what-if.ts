import { type Static, Type } from 'typebox'
import { CustomerNameSchema, InstantSchema, KeySchema, ListQuerySchema, PageSchema } from './common.ts'
import { PriceOverridesInputSchema } from './price.ts'

export const WhatIfInputSchema = Type.Object(
  {
    plan: Type.Optional({ ...KeySchema, description: 'Its latest version, in place of the plans that were in force' }),
    priceOverrides: Type.Optional({ ...PriceOverridesInputSchema, description: 'By charge; the plans stay as they were otherwise' }),
    customers: Type.Optional(Type.Array(CustomerNameSchema, { minItems: 1, maxItems: 1_000, description: 'All when absent' })),
    subscriptions: Type.Optional(Type.Array(KeySchema, { minItems: 1, maxItems: 1_000, description: 'In place of customers' })),
    from: InstantSchema,
    to: InstantSchema,
    usage: Type.Optional(Type.Enum(['asBilled', 'now'])),
    lines: Type.Optional(Type.Boolean({ description: 'Each row has the lines that it is the sum of' })),
  },
  { additionalProperties: false },
)
export type WhatIfInput = Static<typeof WhatIfInputSchema>

export const UnbilledQuerySchema = Type.Object({
  ...ListQuerySchema.properties,
  customer: Type.Optional({ ...CustomerNameSchema, description: 'All customers, page by page, when absent' }),
  from: Type.Optional({ ...InstantSchema, description: 'All of the past when absent' }),
  to: Type.Optional({ ...InstantSchema, description: 'Now when absent' }),
})
export const UnbilledSchema = PageSchema(
  Type.Object({
    customer: CustomerNameSchema,
    feature: Type.String(),
    unit: Type.Optional(Type.String()),
    quantity: Type.String({ description: 'Exact decimal: of the feature’s meter, in the time and of the kinds that nothing bills' }),
    events: Type.Integer(),
  }),
)
