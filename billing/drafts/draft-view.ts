import type { BillingInputs } from '../../domain/billing/billing-inputs.ts'
import type { InvoiceDraft } from '../../domain/billing/invoice-draft.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { draftJson, type InvoiceJson } from '../documents/invoice-json.ts'
import { accountOf, priceDraft } from './price-draft.ts'

/** The document that a draft would be as of now, as it is answered. */
export function draftView(inputs: BillingInputs, draft: InvoiceDraft, nowMs: InstantMs): InvoiceJson {
  return { ...draftJson(priceDraft(inputs, accountOf(inputs, draft), draft, nowMs).record), paused: draft.isPaused }
}
