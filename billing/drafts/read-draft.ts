import type { Static } from 'typebox'
import { CREDIT_PRIORITY_DEFAULT } from '../../domain/billing/credit.ts'
import type { InvoiceDraft, ManualLine } from '../../domain/billing/invoice-draft.ts'
import { type Currency, parseMoney, zero } from '../../domain/billing/money.ts'
import type { TaxRate } from '../../domain/billing/tax-rate.ts'
import { formatQuantity, parseQuantity } from '../../domain/decimal.ts'
import type { FeatureKey, InstantMs } from '../../domain/identity.ts'
import { parseAmount } from '../../domain/money.ts'
import { isRefusal, type Outcome, refuse, refuseField, refuseFields } from '../../domain/refusal.ts'
import { instantJson, parseInstant } from '../../schemas/http/instants.ts'
import type { DraftInputSchema } from '../../schemas/http/invoice-drafts.ts'

type DraftInput = Static<typeof DraftInputSchema>
type TaxRates = ReadonlyMap<string, TaxRate>

/** Lines by hand of a request. Refuses `invalid_amount` and `unknown_tax_rate`, with the field. */
export function readManualLines(lines: DraftInput['lines'], taxRates: TaxRates): Outcome<readonly ManualLine[]> {
  const read: ManualLine[] = []
  for (const [index, line] of lines.entries()) {
    const one = readLine(line, `lines[${index}]`, taxRates)
    if (isRefusal(one)) return one
    read.push(one)
  }
  return read
}

function readLine(
  { description, quantity = '1', unitAmount, taxRates: keys }: DraftInput['lines'][number],
  field: string,
  taxRates: TaxRates,
): Outcome<ManualLine> {
  const quantityNano = parseQuantity(quantity)
  if (quantityNano === null || quantityNano < 0n) {
    return wrong(`${field}.quantity`, `must be a decimal with at most 9 fractional digits and not below 0, was ${quantity}`)
  }
  const amount = parseAmount(unitAmount)
  if (amount === null || amount < 0n) {
    return wrong(`${field}.unitAmount`, `must be a decimal with at most 12 fractional digits and not below 0, was ${unitAmount}`)
  }
  for (const [index, key] of (keys ?? []).entries()) {
    if (!taxRates.has(key)) return refuseField(`${field}.taxRates[${index}]`, refuse('unknown_tax_rate', { taxRate: key }))
  }
  const plain = typeof unitAmount === 'string' ? unitAmount : formatQuantity(parseQuantity(unitAmount) ?? 0n)
  return { description, quantityNano, unitAmount: plain, ...(keys !== undefined && { taxRates: keys }) }
}

/** The credit that a top-up sells; what is paid for it is known when the document is final. */
export function readSoldCredit(
  input: DraftInput['credit'],
  currency: Currency,
  nowMs: InstantMs,
  createId: () => string,
): Outcome<InvoiceDraft['credit']> {
  if (input === undefined) return null
  const amount = parseMoney(currency, input.amount)
  if (isRefusal(amount)) return refuseField('credit.amount', amount)
  if (amount <= 0n) return wrong('credit.amount', `must be above 0, was ${input.amount}`)
  const effectiveAtMs = input.effectiveAt === undefined ? nowMs : parseInstant(input.effectiveAt, 'credit.effectiveAt')
  if (isRefusal(effectiveAtMs)) return effectiveAtMs
  const expiresAtMs = input.expiresAt === undefined ? null : parseInstant(input.expiresAt, 'credit.expiresAt')
  if (isRefusal(expiresAtMs)) return expiresAtMs
  if (expiresAtMs !== null && expiresAtMs <= effectiveAtMs) {
    return wrong('credit.expiresAt', `must be after effectiveAt, which is ${instantJson(effectiveAtMs)}; was ${input.expiresAt}`)
  }
  const { kinds = null, features = null } = input.appliesTo ?? {}
  return {
    ...{ id: input.id ?? createId(), amount, priority: input.priority ?? CREDIT_PRIORITY_DEFAULT, effectiveAtMs, expiresAtMs },
    ...{ createdAtMs: nowMs, appliesTo: { kinds, features: features as FeatureKey[] | null } },
    ...{ burned: zero(), expired: zero(), voided: zero(), grantOn: input.grantOn ?? 'paid' },
  }
}

function wrong(field: string, detail: string) {
  return refuseFields('invalid_amount', [{ field, code: 'invalid_amount', detail: `${field} ${detail}` }])
}
