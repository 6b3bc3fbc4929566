import { Type } from 'typebox'
import { TaxRatesSchema } from './billing-terms.ts'
import { CLOSED, CustomerNameSchema, DecimalInputSchema, InstantSchema, KeySchema } from './common.ts'
import { CreditAppliesToSchema, CreditPrioritySchema, GrantOnSchema } from './credits.ts'

/** Lines by hand of one draft. */
export const DRAFT_LINES_MAX = 100

const ManualLineSchema = Type.Object(
  {
    description: Type.String({ minLength: 1, maxLength: 256 }),
    quantity: Type.Optional({ ...DecimalInputSchema, description: 'Not below 0; 1 when absent' }),
    unitAmount: { ...DecimalInputSchema, description: 'Not below 0; times the quantity it is rounded once' },
    taxRates: Type.Optional({ ...TaxRatesSchema, description: 'Keys; the customer’s rates, else the tenant’s, when absent' }),
  },
  CLOSED,
)
const LinesSchema = Type.Array(ManualLineSchema, { minItems: 1, maxItems: DRAFT_LINES_MAX })
const SoldCreditSchema = Type.Object(
  {
    id: Type.Optional(KeySchema),
    amount: { ...DecimalInputSchema, description: 'What it is worth; the lines say what it costs' },
    priority: Type.Optional(CreditPrioritySchema),
    effectiveAt: Type.Optional(InstantSchema),
    expiresAt: Type.Optional(InstantSchema),
    appliesTo: Type.Optional(CreditAppliesToSchema),
    grantOn: Type.Optional(GrantOnSchema),
  },
  { ...CLOSED, description: 'Makes it a top-up: it sells this credit' },
)
export const DraftInputSchema = Type.Object(
  {
    customer: CustomerNameSchema,
    currency: Type.Optional(Type.String({ maxLength: 16, description: 'ISO 4217; the customer’s when absent' })),
    lines: LinesSchema,
    credit: Type.Optional(SoldCreditSchema),
  },
  CLOSED,
)
export const DraftLinesInputSchema = Type.Object({ lines: LinesSchema }, CLOSED)
export const PauseInputSchema = Type.Object({ paused: Type.Boolean() }, CLOSED)

export const CreditNoteInputSchema = Type.Object(
  {
    lines: Type.Array(
      Type.Object(
        {
          line: Type.String({ minLength: 1, maxLength: 16 }),
          amount: Type.Optional({ ...DecimalInputSchema, description: 'Of the net of the line; all that is left when absent' }),
        },
        CLOSED,
      ),
      { minItems: 1, maxItems: 1_000 },
    ),
    reason: Type.String({ minLength: 1, maxLength: 1_024 }),
    refund: Type.Optional(
      Type.Enum(['balance', 'external'], {
        description: 'What is more than still due goes to the balance of account (default), or was paid out elsewhere',
      }),
    ),
    toCredits: Type.Optional(Type.Boolean({ description: 'What credits had paid of the lines goes back to them' })),
  },
  CLOSED,
)
