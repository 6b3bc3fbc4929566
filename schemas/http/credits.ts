import { type TSchema, Type } from 'typebox'
import { ACCOUNTS } from '../../domain/billing/ledger-transaction.ts'
import { GRANT_ON } from '../../domain/billing/wallet-terms.ts'
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
import { INVOICE_LINE_KINDS } from './invoices.ts'

export const CreditAppliesToSchema = Type.Object(
  {
    kinds: Type.Optional(Type.Array(Type.Enum([...INVOICE_LINE_KINDS]), { minItems: 1, maxItems: INVOICE_LINE_KINDS.length })),
    features: Type.Optional(Type.Array(KeySchema, { minItems: 1, maxItems: 100 })),
  },
  { additionalProperties: false, description: 'Lines that it pays; usage and adjustments of all features when absent' },
)
export const CreditPrioritySchema = Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'Lower burns first; 100 when absent' })

export const CreditInputSchema = Type.Object(
  {
    id: Type.Optional({ ...KeySchema, description: 'Of the caller: a retry is the same credit. Made by the server when absent' }),
    currency: Type.Optional(Type.String({ maxLength: 16, description: 'ISO 4217; the customer’s when absent' })),
    amount: Type.Optional({ ...DecimalInputSchema, description: 'Above 0, with no more digits than the currency' }),
    units: Type.Optional({ ...DecimalInputSchema, description: 'In place of amount, in the `creditUnit` of the billing settings' }),
    paid: Type.Optional({ ...DecimalInputSchema, description: 'What came in for it, without tax; 0 when absent: it was given' }),
    priority: Type.Optional(CreditPrioritySchema),
    effectiveAt: Type.Optional({ ...InstantSchema, description: 'It pays for usage of event time from here on; now when absent' }),
    expiresAt: Type.Optional({ ...InstantSchema, description: 'Usage from here on is not paid by it' }),
    appliesTo: Type.Optional(CreditAppliesToSchema),
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
  units: Type.Optional(
    Type.Object(
      { name: Type.String(), amount: DecimalSchema, left: DecimalSchema },
      { description: 'In the `creditUnit` of its currency' },
    ),
  ),
  priority: Type.Integer(),
  effectiveAt: InstantSchema,
  expiresAt: Type.Union([InstantSchema, Type.Null()]),
  appliesTo: CreditAppliesToSchema,
})
export const CreditListSchema = Type.Object({ data: Type.Array(CreditSchema) })
export const CreditQuerySchema = Type.Object({
  currency: Type.Optional(Type.String({ maxLength: 16, description: 'ISO 4217; the customer’s when absent' })),
})

export const GrantOnSchema = Type.Enum([...GRANT_ON], {
  description: 'When a sold credit appears: with the payment of its invoice (default), or as soon as that is final',
})

const TOP_UPS_PER_DAY_MAX = 100
const WALLET_TERMS = {
  atZero: Type.Enum(['soft', 'hard'], {
    description: 'soft: usage goes on, and the rest is due on the invoice. hard: charged features are refused',
  }),
}

function topUpSchema<Decimal extends TSchema>(decimal: Decimal) {
  return Type.Object(
    {
      below: { ...decimal, description: 'Credits are sold when less than this is available' },
      amount: { ...decimal, description: 'They are sold in multiples of it' },
      upTo: Type.Optional({ ...decimal, description: 'What is available afterwards at the least; `below` when absent' }),
      perDayMax: Type.Integer({ minimum: 1, maximum: TOP_UPS_PER_DAY_MAX, description: 'Requests in a day' }),
      grantOn: Type.Optional(GrantOnSchema),
    },
    CLOSED,
  )
}

export const WalletInputSchema = Type.Object(
  { atZero: Type.Optional(WALLET_TERMS.atZero), topUp: Type.Optional(Type.Union([topUpSchema(DecimalInputSchema), Type.Null()])) },
  CLOSED,
)

const NullableInstant = Type.Union([InstantSchema, Type.Null()])
export const CreditParamsSchema = Type.Object({ id: KeySchema })
export const CreditVoidQuerySchema = Type.Object({ customer: Type.Optional(CustomerNameSchema) })
export const WalletSchema = Type.Object({
  currency: Type.String(),
  booked: { ...DecimalSchema, description: 'What credits have left by the book' },
  pending: { ...DecimalSchema, description: 'Usage that no final document has yet, after coupons and before tax' },
  available: { ...DecimalSchema, description: 'booked less pending; below zero when more was used than is there' },
  ...WALLET_TERMS,
  topUp: Type.Optional(topUpSchema(DecimalSchema)),
  credits: Type.Array(
    Type.Object({ id: Type.String(), amount: DecimalSchema, left: DecimalSchema, priority: Type.Integer(), expiresAt: NullableInstant }),
  ),
})

export const LedgerQuerySchema = Type.Object({ ...ListQuerySchema.properties, ...CreditQuerySchema.properties })
export const LedgerPageSchema = PageSchema(
  Type.Object({
    source: { ...Type.String(), description: 'What was posted; the entries of one source sum to zero' },
    postedAt: InstantSchema,
    account: Type.Enum([...ACCOUNTS]),
    amount: { ...DecimalSchema, description: 'Debits above zero' },
    credit: Type.Optional(Type.String()),
    balance: { ...DecimalSchema, description: 'Of the account after the entry' },
  }),
)
