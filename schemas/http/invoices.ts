import { Type } from 'typebox'
import { CustomerNameSchema, DecimalInputSchema, DecimalSchema, InstantSchema, KeySchema, ListQuerySchema, PageSchema } from './common.ts'
import { RatedLineSchema } from './price.ts'

const Text = Type.String()
const NullableText = Type.Union([Type.String(), Type.Null()])
export const INVOICE_STATUSES = ['finalised', 'paid', 'nothingDue', 'uncollectible', 'void'] as const
export const INVOICE_LINE_KINDS = ['base', 'usage', 'trueUp', 'unused', 'adjustment', 'manual', 'topUp'] as const
const StatusSchema = Type.Enum(['draft', ...INVOICE_STATUSES])

/** A draft of a subscription has the id of that in its own. */
const DocumentIdSchema = Type.String({ pattern: '^[A-Za-z0-9._:@/+-]{1,180}$', description: 'Made by the server' })
export const InvoiceParamsSchema = Type.Object({ id: DocumentIdSchema })
export const InvoiceQuerySchema = Type.Object({
  ...ListQuerySchema.properties,
  customer: Type.Optional(CustomerNameSchema),
  subscription: Type.Optional(KeySchema),
  status: Type.Optional(StatusSchema),
  from: Type.Optional({ ...InstantSchema, description: 'Documents that close at this instant or later' }),
  to: Type.Optional({ ...InstantSchema, description: 'Documents that close before this instant' }),
})

const TraceSchema = Type.Object(
  {
    meter: KeySchema,
    revision: Type.Integer(),
    aggregation: Text,
    filter: Type.Record(Type.String(), Type.Array(Type.String())),
    from: InstantSchema,
    to: InstantSchema,
    stretches: Type.Optional(
      Type.Array(Type.Object({ from: InstantSchema, to: InstantSchema }), {
        description: 'What of the time this subscription bills, where another one bills the rest',
      }),
    ),
    partition: Type.Integer(),
    offsetFrom: Type.Integer(),
    offsetTo: Type.Integer(),
  },
  { description: 'What the line counts: a stretch of event time by a stretch of the log, both half-open' },
)
const LineSchema = Type.Object({
  line: Text,
  kind: Type.Enum([...INVOICE_LINE_KINDS]),
  item: Type.Optional(Text),
  feature: Type.Optional(Text),
  plan: Type.Optional(Text),
  planVersion: Type.Optional(Type.Integer()),
  from: InstantSchema,
  to: InstantSchema,
  quantity: Type.Optional(DecimalSchema),
  unitAmount: Type.Optional({ ...DecimalSchema, description: 'What a unit of an order costs' }),
  unit: Type.Optional({ ...Text, description: 'Of the feature, when the document was made final' }),
  exact: Type.Optional({ ...DecimalSchema, description: 'What the part comes to by now, not rounded' }),
  tiers: Type.Optional(Type.Array(RatedLineSchema, { description: 'How a price with tiers comes to `exact`' })),
  amount: DecimalSchema,
  discount: DecimalSchema,
  credits: DecimalSchema,
  net: DecimalSchema,
  tax: DecimalSchema,
  taxRates: Type.Optional(Type.Array(Text)),
  adjusts: Type.Optional(Type.Object({ invoice: Text, line: Text })),
  billedBy: Type.Optional(Type.Array(Text, { description: 'Other subscriptions that bill what is used in the period or in some of it' })),
  trace: Type.Optional(TraceSchema),
})
const TaxSchema = Type.Object({
  ...{ key: Text, name: Text, percent: DecimalSchema, inclusive: Type.Boolean(), base: DecimalSchema, amount: DecimalSchema },
})
const SellerSchema = Type.Object({
  name: Text,
  address: Type.Optional(Text),
  taxId: Type.Optional(Text),
  footer: Type.Optional(Text),
})
const BillToSchema = Type.Object({
  ...{ customer: Text, name: NullableText, email: NullableText, taxId: NullableText, address: NullableText, taxExempt: Type.Boolean() },
})

export const InvoiceDocumentSchema = Type.Object({
  id: Text,
  document: Type.Enum(['invoice', 'creditNote']),
  kind: Text,
  number: NullableText,
  status: StatusSchema,
  customer: Text,
  subscription: NullableText,
  order: Type.Optional({ ...Text, description: 'Of the document of a one-time purchase' }),
  invoice: Type.Optional({ ...Text, description: 'Of a credit note that was asked for: the document that it takes back from' }),
  reason: Type.Optional(Text),
  currency: Text,
  closesAt: InstantSchema,
  finalisedAt: Type.Union([InstantSchema, Type.Null()]),
  dueAt: Type.Union([InstantSchema, Type.Null()]),
  paused: Type.Optional(Type.Boolean({ description: 'Of a draft: it is not made final' })),
  seller: Type.Union([SellerSchema, Type.Null()]),
  billTo: BillToSchema,
  lines: Type.Array(LineSchema),
  subtotal: DecimalSchema,
  discount: DecimalSchema,
  credits: DecimalSchema,
  creditsReturned: Type.Optional({ ...DecimalSchema, description: 'Of a credit note: what went back to credits that had paid' }),
  net: DecimalSchema,
  taxes: Type.Array(TaxSchema),
  tax: DecimalSchema,
  total: { ...DecimalSchema, description: 'Of a credit note what comes back, above zero' },
  balanceApplied: DecimalSchema,
  due: { ...DecimalSchema, description: 'What is still due' },
  paid: DecimalSchema,
  contentHash: { ...NullableText, description: 'SHA-256 of the hash of the document numbered before, and the canonical JSON of this one' },
  previousHash: NullableText,
})
export const InvoicePageSchema = PageSchema(InvoiceDocumentSchema)

export const BillingRunInputSchema = Type.Object(
  {
    asOf: Type.Optional({ ...InstantSchema, description: 'Makes what can be final by then; not ahead of now' }),
    customers: Type.Optional(Type.Array(CustomerNameSchema, { minItems: 1, maxItems: 1_000 })),
    dryRun: Type.Optional(Type.Boolean({ description: 'Decides and writes nothing' })),
    lateFrom: Type.Optional({
      ...InstantSchema,
      description: 'Also bills usage that came after its late window, of periods that end after this instant; not ahead of now',
    }),
  },
  { additionalProperties: false },
)
export const BillingRunSchema = Type.Object({
  id: Text,
  status: Type.Enum(['running', 'finished', 'failed']),
  startedAt: InstantSchema,
  asOf: InstantSchema,
  dryRun: Type.Boolean(),
  cutOffs: Type.Optional(
    Type.Record(Type.String(), Type.Integer(), { description: 'By partition, the position of the log up to which usage counts' }),
  ),
  behind: Type.Optional(Type.Array(Type.Integer(), { description: 'Partitions whose usage is behind; their customers were left out' })),
  due: Type.Optional(Type.Integer()),
  late: Type.Optional(Type.Integer({ description: 'Subscriptions whose closed periods were counted again' })),
  finalised: Type.Optional(Type.Integer()),
  nothingDue: Type.Optional(Type.Integer()),
  dropped: Type.Optional(Type.Integer({ description: 'Subscriptions that somebody else billed or changed meanwhile' })),
  setAsideCount: Type.Optional(Type.Integer()),
  setAside: Type.Optional(Type.Array(Type.Object({ subscription: Text, code: Text, detail: Text }))),
  tookMs: Type.Optional(Type.Integer()),
  detail: Type.Optional(Text),
})

const ReasonSchema = Type.String({ minLength: 1, maxLength: 1_024 })
export const ReasonInputSchema = Type.Object({ reason: ReasonSchema }, { additionalProperties: false })
export const VoidInputSchema = Type.Object(
  { reason: ReasonSchema, rebill: Type.Optional(Type.Boolean({ description: 'The next run bills the time anew' })) },
  { additionalProperties: false },
)
export const PaymentInputSchema = Type.Object(
  {
    amount: { ...DecimalInputSchema, description: 'In the currency of the document, with no more digits than it has' },
    currency: Type.Optional(Type.String({ maxLength: 16, description: 'Checked when given: it must be that of the document' })),
    reference: Type.String({ minLength: 1, maxLength: 128, description: 'Of the payment where it was made; it counts once' }),
    paidAt: Type.Optional({ ...InstantSchema, description: 'Now when absent' }),
  },
  { additionalProperties: false },
)
