import { Type } from 'typebox'
import { CATALOG_BOUNDS } from '../../domain/catalog/catalog-bounds.ts'
import { CHECKOUT_STATUSES } from '../../domain/selling/checkout.ts'
import { ORDER_STATUSES } from '../../domain/selling/order.ts'
import {
  CLOSED,
  CustomerNameSchema,
  DecimalInputSchema,
  DecimalSchema,
  InstantSchema,
  KeySchema,
  ListQuerySchema,
  PageSchema,
} from './common.ts'

const UrlSchema = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 2_048, description }))
const Nullable = Type.Union([Type.String(), Type.Null()])

/** Metadata of a checkout as JSON. */
export const METADATA_CHARACTERS_MAX = 4_096
export const MetadataSchema = Type.Record(Type.String({ maxLength: 128 }), Type.Unknown(), {
  maxProperties: CATALOG_BOUNDS.metadataProperties.most,
  description: 'Up to 50 keys and 4 KB; stands on the order',
})

export const CheckoutInputSchema = Type.Object(
  {
    plan: KeySchema,
    version: Type.Optional(Type.Integer({ minimum: 1, maximum: 2_147_483_647, description: 'The latest when absent' })),
    customer: Type.Optional(CustomerNameSchema),
    email: Type.Optional(Type.String({ minLength: 1, maxLength: 512, description: 'Written into the form; a claim that opens nothing' })),
    quantity: Type.Optional(Type.Integer({ description: '1 when absent' })),
    currency: Type.Optional(Type.String({ maxLength: 16, description: 'The plan’s own when absent' })),
    amount: Type.Optional({ ...DecimalInputSchema, description: 'What a unit costs, where the plan lets the buyer name it' }),
    coupon: Type.Optional(KeySchema),
    successUrl: UrlSchema('Where the page leads afterwards; it gets `?checkout={id}`'),
    cancelUrl: UrlSchema('Where the page leads without a purchase'),
    metadata: Type.Optional(MetadataSchema),
    expiresAt: Type.Optional({ ...InstantSchema, description: 'From 30 minutes to 24 hours ahead; 24 hours when absent' }),
  },
  CLOSED,
)
export const CheckoutParamsSchema = Type.Object({
  id: Type.String({ pattern: '^co_[0-9a-f]{32}$', examples: ['co_5f7c1e0a9b3d4c2e8f6a7b1c0d9e8f7a'] }),
})
export const CheckoutSchema = Type.Object({
  id: Type.String(),
  url: Type.String({ description: 'The page on which it is paid; whoever has the address may pay it' }),
  status: Type.Enum([...CHECKOUT_STATUSES]),
  expiresAt: InstantSchema,
  plan: Type.Optional(Type.String()),
  order: Type.Optional(Nullable),
})

export const OrderSchema = Type.Object({
  id: Type.String(),
  customer: Type.String(),
  plan: Type.String(),
  planVersion: Type.Integer(),
  quantity: Type.Integer(),
  currency: Type.String(),
  status: Type.Enum([...ORDER_STATUSES]),
  invoice: Nullable,
  checkout: Nullable,
  metadata: Type.Record(Type.String(), Type.Unknown()),
  paid: DecimalSchema,
  refunded: DecimalSchema,
  createdAt: InstantSchema,
  paidAt: Type.Union([InstantSchema, Type.Null()]),
  startsAt: Type.Union([InstantSchema, Type.Null()]),
  endsAt: Type.Union([InstantSchema, Type.Null()], { description: 'Null when it holds for good' }),
})
export const OrderPageSchema = PageSchema(OrderSchema)
export const OrderParamsSchema = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) })
export const OrderQuerySchema = Type.Object({ ...ListQuerySchema.properties, customer: Type.Optional(CustomerNameSchema) })
