import { Type } from 'typebox'
import { DecimalInputSchema, DecimalSchema, InstantSchema, KeySchema } from './common.ts'
import { INVOICE_LINE_KINDS } from './invoices.ts'

const AppliesToSchema = Type.Object(
  {
    kinds: Type.Optional(Type.Array(Type.Enum([...INVOICE_LINE_KINDS]), { minItems: 1, maxItems: INVOICE_LINE_KINDS.length })),
    features: Type.Optional(Type.Array(KeySchema, { minItems: 1, maxItems: 100 })),
  },
  { additionalProperties: false, description: 'Lines that it pays; usage and adjustments of all features when absent' },
)
const PriorityMax = 1_000_000

export const CreditInputSchema = Type.Object(
  {
    id: Type.Optional({ ...KeySchema, description: 'Of the caller: a retry is the same credit. Made by the server when absent' }),
    currency: Type.Optional(Type.String({ maxLength: 16, description: 'ISO 4217; the customer’s when absent' })),
    amount: { ...DecimalInputSchema, description: 'Above 0, with no more digits than the currency' },
    paid: Type.Optional({ ...DecimalInputSchema, description: 'What came in for it, without tax; 0 when absent: it was given' }),
    priority: Type.Optional(Type.Integer({ minimum: 0, maximum: PriorityMax, description: 'Lower burns first; 100 when absent' })),
    effectiveAt: Type.Optional({ ...InstantSchema, description: 'It pays for usage of event time from here on; now when absent' }),
    expiresAt: Type.Optional({ ...InstantSchema, description: 'Usage from here on is not paid by it' }),
    appliesTo: Type.Optional(AppliesToSchema),
  },
  { additionalProperties: false },
)
export const CreditSchema = Type.Object({
  id: Type.String(),
  customer: Type.String(),
  currency: Type.String(),
  amount: DecimalSchema,
  paid: DecimalSchema,
  left: { ...DecimalSchema, description: 'As booked: what final documents burned, and what expired, is gone' },
  priority: Type.Integer(),
  effectiveAt: InstantSchema,
  expiresAt: Type.Union([InstantSchema, Type.Null()]),
  appliesTo: AppliesToSchema,
})
export const CreditListSchema = Type.Object({ data: Type.Array(CreditSchema) })
export const CreditQuerySchema = Type.Object({
  currency: Type.Optional(Type.String({ maxLength: 16, description: 'ISO 4217; the customer’s when absent' })),
})
