import type { BillingInputsReader } from '../../adapters/database/billing-inputs/billing-inputs-reader.ts'
import type { CustomerStore } from '../../adapters/database/customers/customer-store.ts'
import type { InTransaction } from '../../adapters/database/in-transaction.ts'
import type { InvoiceDraftStore } from '../../adapters/database/invoice-drafts/invoice-draft-store.ts'
import type { InvoiceStore } from '../../adapters/database/invoices/invoice-store.ts'
import type { OutboxStore } from '../../adapters/database/outbox/outbox-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { InvoiceDraft } from '../../domain/billing/invoice-draft.ts'

import type { CustomerKey } from '../../domain/identity.ts'
import { orThrow, refuse, refuseField } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { DraftInputSchema, DraftLinesInputSchema, PauseInputSchema } from '../../schemas/http/invoice-drafts.ts'
import { InvoiceLineParamsSchema } from '../../schemas/http/invoice-lines.ts'
import { InvoiceDocumentSchema, InvoiceParamsSchema } from '../../schemas/http/invoices.ts'
import { readCurrency } from '../credits/credit-input.ts'
import type { DraftShelf } from './draft-shelf.ts'
import { draftView } from './draft-view.ts'
import { readManualLines, readSoldCredit } from './read-draft.ts'

export type DraftRoutesDeps = {
  readonly inputs: BillingInputsReader
  readonly customers: Pick<CustomerStore, 'get'>
  readonly invoices: Pick<InvoiceStore, 'createId'>
  readonly write: InTransaction<{ readonly drafts: Pick<InvoiceDraftStore, 'create'>; readonly outbox: Pick<OutboxStore, 'append'> }>
  readonly shelf: DraftShelf
  readonly clock: Clock
  readonly createId: () => string
}

/** Documents by hand, until they are final. */
export function draftRoutes(deps: DraftRoutesDeps): (app: HttpApp) => Promise<void> {
  const { inputs, customers, invoices, write, shelf, clock, createId } = deps
  const config = { scope: 'billing' } as const
  return async (app) => {
    app.post('/v1/invoices', { config: { ...config, isIdempotent: true }, schema: CREATE_DRAFT }, async (request, reply) => {
      const { tenant } = request.principal
      const { customer: key, currency: given, lines, credit } = request.body
      const unknown = refuseField('customer', refuse('unknown_customer', { customer: key }))
      const customer = orThrow((await customers.get(tenant, key as CustomerKey)) ?? unknown)
      const currency = orThrow(readCurrency(given, customer))
      const read = await inputs.read(tenant, [customer.key])
      const nowMs = clock.now()
      const draft: InvoiceDraft = {
        ...{ id: invoices.createId(nowMs, null), customer: customer.key, currency: currency.code, isPaused: false, createdAtMs: nowMs },
        lines: orThrow(readManualLines(lines, read.taxRates)),
        credit: orThrow(readSoldCredit(credit, currency, nowMs, createId)),
      }
      const view = draftView(read, draft, nowMs)
      await write(async (stores) => {
        await stores.drafts.create(tenant, draft)
        await stores.outbox.append(tenant, [{ type: 'invoice.drafted', object: draft.id, data: view, createdAtMs: nowMs }])
      })
      return reply.code(201).send(view)
    })
    app.post('/v1/invoices/:id/lines', { config: { ...config, isIdempotent: true }, schema: ADD_LINES }, async (request) => {
      const { tenant } = request.principal
      const { taxRates } = await inputs.read(tenant, [])
      const lines = orThrow(readManualLines(request.body.lines, taxRates))
      return orThrow(await shelf.addLines(tenant, request.params.id, lines))
    })
    app.delete('/v1/invoices/:id/lines/:line', { config, schema: REMOVE_LINE }, async (request) =>
      orThrow(await shelf.removeLine(request.principal.tenant, request.params.id, request.params.line)),
    )
    app.put('/v1/invoices/:id/pause', { config, schema: PAUSE_DRAFT }, async (request) =>
      orThrow(await shelf.pause(request.principal.tenant, request.params.id, request.body.paused)),
    )
    app.delete('/v1/invoices/:id', { config, schema: REMOVE_DRAFT }, async (request, reply) => {
      orThrow(await shelf.remove(request.principal.tenant, request.params.id))
      return reply.code(204).send()
    })
    app.post('/v1/invoices/:id/finalise', { config: { ...config, isIdempotent: true }, schema: FINALISE_DRAFT }, async (request) =>
      orThrow(await shelf.finalise(request.principal.tenant, request.params.id)),
    )
  }
}

const TAGS = { tags: ['invoices'] }
const OF_DRAFT = { ...TAGS, params: InvoiceParamsSchema, response: { 200: InvoiceDocumentSchema, ...REFUSALS } }

const CREATE_DRAFT = {
  ...TAGS,
  operationId: 'createInvoice',
  summary: 'Draft a document by hand, or the sale of a credit',
  description: 'Priced at every read until it is made final with `POST /v1/invoices/{id}/finalise`.',
  body: DraftInputSchema,
  response: { 201: InvoiceDocumentSchema, ...REFUSALS },
}
const ADD_LINES = { ...OF_DRAFT, operationId: 'addInvoiceLines', summary: 'Add lines by hand to a draft', body: DraftLinesInputSchema }
const REMOVE_LINE = {
  ...OF_DRAFT,
  operationId: 'removeInvoiceLine',
  summary: 'Remove a line by hand of a draft; later ones move up',
  params: InvoiceLineParamsSchema,
}
const PAUSE_DRAFT = { ...OF_DRAFT, operationId: 'pauseInvoice', summary: 'Hold a draft back, or let it go on', body: PauseInputSchema }
const REMOVE_DRAFT = {
  ...TAGS,
  operationId: 'removeInvoice',
  summary: 'Remove a draft by hand',
  params: InvoiceParamsSchema,
  response: { 204: { description: 'Removed' }, ...REFUSALS },
}
const FINALISE_DRAFT = {
  ...OF_DRAFT,
  operationId: 'finaliseInvoice',
  summary: 'Make a draft final: it is numbered and never changes',
  description: 'The draft of a subscription need not wait for the grace; its time must be over, and earlier ones be final.',
}
