import { Type } from 'typebox'
import { DecimalSchema, InstantSchema, PageSchema } from './common.ts'
import { InvoiceParamsSchema } from './invoices.ts'

export const InvoiceLineParamsSchema = Type.Object({ ...InvoiceParamsSchema.properties, line: Type.String({ pattern: '^[0-9]{1,6}$' }) })

export const InvoiceProofSchema = Type.Object({
  quantity: DecimalSchema,
  recounted: { ...DecimalSchema, description: 'Counted from the events now' },
  amount: DecimalSchema,
  recomputed: Type.Union([DecimalSchema, Type.Null()], {
    description: 'Priced from the recount; null when the plan version that priced the line is not on the subscription any more',
  }),
  agrees: Type.Boolean(),
})

export const LineWindowQuerySchema = Type.Object({
  window: Type.Optional(Type.Enum(['minute', 'hour', 'day'], { description: '`day` when absent' })),
})
export const LineWindowsSchema = Type.Object({
  quantity: { ...DecimalSchema, description: 'Of the line' },
  data: Type.Array(Type.Object({ windowStart: InstantSchema, windowEnd: InstantSchema, quantity: DecimalSchema, events: Type.Integer() })),
})

export const LineEventQuerySchema = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  cursor: Type.Optional(Type.String({ pattern: '^[0-9]{1,15}[.][0-9]{1,9}$', examples: ['1793318400000.7'] })),
})
export const LineEventPageSchema = PageSchema(
  Type.Object({
    id: Type.String(),
    source: Type.String(),
    type: Type.String(),
    customer: Type.String(),
    subject: Type.Union([Type.String(), Type.Null()]),
    time: InstantSchema,
    receivedAt: InstantSchema,
    data: Type.Object({}, { additionalProperties: true }),
    quantity: { ...DecimalSchema, description: 'What it adds to the line' },
    partition: Type.Integer(),
    offset: Type.Integer({ description: 'Its place in the log' }),
  }),
)
