import { accountName, type BillingAccount, type BillingInputs } from '../../domain/billing/billing-inputs.ts'
import type { InvoiceDraft } from '../../domain/billing/invoice-draft.ts'
import { currencyOf } from '../../domain/billing/money.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { orThrow } from '../../domain/refusal.ts'
import { DAY_MS } from '../../domain/time/durations.ts'
import { type InvoiceRecord, invoiceRecord } from '../invoices/invoice-record.ts'
import { decideOneOff, type OneOffDecision } from '../invoices/one-off.ts'
import { NO_ACCOUNT } from '../runs/billing-states.ts'
import { partiesOf } from '../runs/frozen-record.ts'

export type DraftInputs = Pick<BillingInputs, 'settings' | 'customers' | 'taxRates'>
export type PricedDraft = { readonly decision: OneOffDecision; readonly record: InvoiceRecord }

/** The document that a draft would be as of now, and its record without a number. */
export function priceDraft(inputs: DraftInputs, account: BillingAccount, draft: InvoiceDraft, nowMs: InstantMs): PricedDraft {
  const currency = orThrow(currencyOf(draft.currency))
  const customer = inputs.customers.get(draft.customer)
  const { settings, taxRates } = inputs
  const decision = decideOneOff(
    {
      ...{ currency, customer: draft.customer, lines: draft.lines, credit: draft.credit },
      purse: { coupons: [], credits: account.credits, balance: account.balance },
      taxes: { rates: taxRates, defaults: customer?.taxRates ?? settings.taxRates, isExempt: customer?.taxExempt ?? false },
      dueMs: (customer?.dueDays ?? settings.dueDays) * DAY_MS,
    },
    nowMs,
    draft.id,
  )
  return { decision, record: { ...invoiceRecord(currency, decision.document), ...partiesOf(inputs, draft.customer) } }
}

/** What a customer has in the currency of the draft. */
export function accountOf({ accounts }: Pick<BillingInputs, 'accounts'>, { customer, currency }: InvoiceDraft): BillingAccount {
  return accounts.get(accountName(customer, currency)) ?? NO_ACCOUNT
}
