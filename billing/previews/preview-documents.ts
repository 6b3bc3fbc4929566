import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { BillingInputs } from '../../domain/billing/billing-inputs.ts'
import { isRefusal, type Outcome, refuse } from '../../domain/refusal.ts'
import type { InvoiceRecord } from '../invoices/invoice-record.ts'
import type { Made } from '../runs/decide-page.ts'
import { frozenRecord } from '../runs/frozen-record.ts'
import { DOCUMENTS_PER_RUN_MAX } from '../steps/decide-invoice.ts'
import { type DecideAhead, type DecideAheadDeps, decideAhead } from './decide-ahead.ts'

export type PreviewDeps = DecideAheadDeps & { readonly usageStore: Pick<UsageStore, 'positions'> }

export type PreviewRequest = Omit<DecideAhead, 'cutOffs' | 'next'>

/**
 * The documents that a run at an instant would make final for a subscription, of the usage counted by now; where it would make none, the
 * next one, of the instant from which it can be final. Refuses `too_many_periods`, as a run would make them in several goes.
 */
export async function previewDocuments(deps: PreviewDeps, request: PreviewRequest): Promise<Outcome<readonly InvoiceRecord[]>> {
  const made = await decideAhead(deps, { ...request, cutOffs: await deps.usageStore.positions(), next: 'whenNone' })
  if (isRefusal(made)) return made
  if (made.length >= DOCUMENTS_PER_RUN_MAX) {
    return refuse('too_many_periods', { subscription: request.subscription.id, documentsMax: DOCUMENTS_PER_RUN_MAX })
  }
  return made.flatMap((each) => recordOf(request.inputs, each))
}

/** The record of a decision, without a number; none where it makes no document. */
export function recordOf(inputs: BillingInputs, { state, decision: { document } }: Made): readonly InvoiceRecord[] {
  return document === null ? [] : [frozenRecord(inputs, state, document)]
}
