import type { InTransaction } from '../../adapters/database/in-transaction.ts'
import type { Clock } from '../../base/clock.ts'
import { orThrow } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { parseInstant } from '../../schemas/http/instants.ts'
import {
  InvoiceDocumentSchema,
  InvoiceParamsSchema,
  PaymentInputSchema,
  ReasonInputSchema,
  VoidInputSchema,
} from '../../schemas/http/invoices.ts'
import { invoiceJson } from './invoice-json.ts'
import { type DocumentStores, payInvoice } from './pay-invoice.ts'
import { voidFinalInvoice } from './void-final-invoice.ts'
import { writeOffInvoice } from './write-off-invoice.ts'

export type ChangeRoutesDeps = { readonly write: InTransaction<DocumentStores>; readonly clock: Clock }

/** What becomes of documents after they were made final. */
export function changeRoutes({ write, clock }: ChangeRoutesDeps): (app: HttpApp) => Promise<void> {
  const config = { scope: 'billing', isIdempotent: true } as const
  return async (app) => {
    app.post('/v1/invoices/:id/payments', { config, schema: PAY_INVOICE }, async (request) => {
      const { amount, currency, reference, paidAt } = request.body
      const nowMs = clock.now()
      const paidAtMs = paidAt === undefined ? nowMs : orThrow(parseInstant(paidAt, 'paidAt'))
      const of = { tenant: request.principal.tenant, id: request.params.id, nowMs }
      const given = { amount, reference, paidAtMs, ...(currency !== undefined && { currency }) }
      return invoiceJson(orThrow(await write((stores) => payInvoice(stores, of, given))))
    })
    app.post('/v1/invoices/:id/void', { config, schema: VOID_INVOICE }, async (request) => {
      const { reason, rebill = false } = request.body
      const of = { tenant: request.principal.tenant, id: request.params.id, nowMs: clock.now() }
      return invoiceJson(orThrow(await write((stores) => voidFinalInvoice(stores, of, { reason, isRebilled: rebill }))))
    })
    app.post('/v1/invoices/:id/uncollectible', { config, schema: WRITE_OFF_INVOICE }, async (request) => {
      const of = { tenant: request.principal.tenant, id: request.params.id, nowMs: clock.now() }
      return invoiceJson(orThrow(await write((stores) => writeOffInvoice(stores, of, request.body.reason))))
    })
  }
}

const OF_INVOICE = { tags: ['invoices'], params: InvoiceParamsSchema, response: { 200: InvoiceDocumentSchema, ...REFUSALS } }

const PAY_INVOICE = {
  ...OF_INVOICE,
  operationId: 'payInvoice',
  summary: 'Record a payment',
  description: 'A reference counts once. What is more than due goes to the balance of account, which pays what comes next.',
  body: PaymentInputSchema,
}
const VOID_INVOICE = {
  ...OF_INVOICE,
  operationId: 'voidInvoice',
  summary: 'Take an unpaid document back, the newest of its subscription; it keeps its number',
  description: 'With `rebill` the next run bills the time anew; without it the time stays unbilled.',
  body: VoidInputSchema,
}
const WRITE_OFF_INVOICE = {
  ...OF_INVOICE,
  operationId: 'writeOffInvoice',
  summary: 'Expect no payment any more',
  body: ReasonInputSchema,
}
