import type { BillingSettingsStore } from '../../adapters/database/billing-settings/billing-settings-store.ts'
import type { InTransaction } from '../../adapters/database/in-transaction.ts'
import type { InvoiceStore } from '../../adapters/database/invoices/invoice-store.ts'
import type { Clock } from '../../base/clock.ts'
import { orThrow } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { CreditNoteInputSchema } from '../../schemas/http/invoice-drafts.ts'
import { InvoiceDocumentSchema, InvoiceParamsSchema } from '../../schemas/http/invoices.ts'
import { invoiceJson } from '../documents/invoice-json.ts'
import type { DocumentStores } from '../documents/pay-invoice.ts'
import { issueCreditNote } from './issue-credit-note.ts'

export type CreditNoteRoutesDeps = {
  readonly write: InTransaction<DocumentStores>
  readonly settings: Pick<BillingSettingsStore, 'get'>
  readonly invoices: Pick<InvoiceStore, 'createId'>
  readonly clock: Clock
}

export function creditNoteRoutes({ write, settings, invoices, clock }: CreditNoteRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.post(
      '/v1/invoices/:id/credit-notes',
      { config: { scope: 'billing', isIdempotent: true }, schema: ISSUE_NOTE },
      async (request, reply) => {
        const { tenant } = request.principal
        const { lines, reason, refund = 'balance', toCredits = false } = request.body
        const nowMs = clock.now()
        const of = { tenant, id: request.params.id, nowMs, noteId: invoices.createId(nowMs, null) }
        const prefixes = await settings.get(tenant)
        const note = await write((stores) => issueCreditNote(stores, of, prefixes, { lines, reason, refund, returnsCredits: toCredits }))
        return reply.code(201).send(invoiceJson(orThrow(note)))
      },
    )
  }
}

const ISSUE_NOTE = {
  tags: ['invoices'],
  operationId: 'issueCreditNote',
  summary: 'Take back a part of a final document, line by line',
  description:
    'At most what is left of each line; its tax goes with it. What is still due is lowered first, and the rest goes to the balance of account, which pays what comes next.',
  params: InvoiceParamsSchema,
  body: CreditNoteInputSchema,
  response: { 201: InvoiceDocumentSchema, ...REFUSALS },
}
