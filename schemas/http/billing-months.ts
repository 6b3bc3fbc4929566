import { Type } from 'typebox'
import { CustomerNameSchema, DecimalSchema, InstantSchema } from './common.ts'
import { INVOICE_STATUSES } from './invoices.ts'

const Text = Type.String()
const NullableInstant = Type.Union([InstantSchema, Type.Null()])

export const BillingMonthParamsSchema = Type.Object({
  month: Type.String({ pattern: '^[0-9]{4}-(0[1-9]|1[0-2])$', description: 'A month in UTC', examples: ['2026-11'] }),
})
export const BillingMonthSchema = Type.Object({
  month: Text,
  from: InstantSchema,
  to: InstantSchema,
  isClosed: Type.Boolean({ description: 'Every period that ends by then is final' }),
  openCount: Type.Integer({ description: 'Subscriptions that have a document to come for the month' }),
  open: Type.Array(Type.Object({ subscription: Text, customer: CustomerNameSchema, closesAt: NullableInstant, dueAt: NullableInstant }), {
    description: 'The first 100 of those; `dueAt` is when its document can be final at the earliest',
  }),
  documents: Type.Array(
    Type.Object({
      ...{ currency: Text, document: Type.Enum(['invoice', 'creditNote']), status: Type.Enum([...INVOICE_STATUSES]) },
      documents: Type.Integer(),
      ...{ subtotal: DecimalSchema, discount: DecimalSchema, credits: DecimalSchema, net: DecimalSchema, tax: DecimalSchema },
      ...{ total: DecimalSchema, due: DecimalSchema, paid: DecimalSchema },
    }),
    { description: 'Sums of the documents that close in the month, by what they are and what has become of them' },
  ),
  taxes: Type.Array(
    Type.Object({ currency: Text, key: Text, name: Text, percent: DecimalSchema, base: DecimalSchema, amount: DecimalSchema }),
  ),
  adjustments: Type.Array(Type.Object({ currency: Text, lines: Type.Integer(), amount: DecimalSchema }), {
    description: 'Lines that correct what was billed before',
  }),
})
