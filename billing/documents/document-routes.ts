import type { InvoiceFilter, InvoiceStore, StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { CustomerKey, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { parseInstant } from '../../schemas/http/instants.ts'
import {
  FinalInvoiceSchema,
  InvoiceLineParamsSchema,
  InvoicePageSchema,
  InvoiceParamsSchema,
  InvoiceProofSchema,
  InvoiceQuerySchema,
} from '../../schemas/http/invoices.ts'
import { invoiceHtml } from './invoice-html.ts'
import { invoiceJson } from './invoice-json.ts'
import { proveLine } from './prove-line.ts'

export type DocumentRoutesDeps = {
  readonly invoices: Pick<InvoiceStore, 'get' | 'list' | 'meter'>
  readonly usageStore: Pick<UsageStore, 'scanEvents'>
}

export function documentRoutes({ invoices, usageStore }: DocumentRoutesDeps): (app: HttpApp) => Promise<void> {
  const found = async (tenant: TenantKey, id: string): Promise<StoredInvoice> =>
    orThrow((await invoices.get(tenant, id)) ?? refuse('unknown_invoice', { invoice: id }))
  return async (app) => {
    app.get('/v1/invoices', { config: { scope: 'read' }, schema: LIST_INVOICES }, async (request) => {
      const { limit = LIMIT_DEFAULT, cursor, customer, subscription, status, from, to } = request.query
      const filter: InvoiceFilter = {
        ...{ customer: customer as CustomerKey | undefined, subscription: subscription as SubscriptionId | undefined, status },
        fromMs: from === undefined ? undefined : orThrow(parseInstant(from, 'from')),
        toMs: to === undefined ? undefined : orThrow(parseInstant(to, 'to')),
      }
      const page = await invoices.list(request.principal.tenant, filter, { limit, ...(cursor !== undefined && { cursor }) })
      return { data: page.data.map(invoiceJson), nextCursor: page.nextCursor }
    })
    app.get('/v1/invoices/:id', { config: { scope: 'read' }, schema: GET_INVOICE }, async (request, reply) => {
      const invoice = invoiceJson(await found(request.principal.tenant, request.params.id))
      if (!wantsHtml(request.headers.accept)) return invoice
      reply.type('text/html; charset=utf-8').header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
      return reply.send(invoiceHtml(invoice) as never)
    })
    app.get('/v1/invoices/:id/lines/:line/proof', { config: { scope: 'read' }, schema: PROVE_LINE }, async (request) => {
      const { tenant } = request.principal
      const invoice = await found(tenant, request.params.id)
      return orThrow(await proveLine({ invoices, usageStore }, tenant, invoice, request.params.line))
    })
  }
}

const LIMIT_DEFAULT = 100

/** A browser names HTML first; whoever takes anything gets JSON. */
function wantsHtml(accept = ''): boolean {
  const types = accept.split(',').map((type) => type.split(';', 1)[0]?.trim())
  const html = types.indexOf('text/html')
  const json = types.indexOf('application/json')
  return html >= 0 && (json < 0 || html < json)
}

const TAGS = { tags: ['invoices'] }

const LIST_INVOICES = {
  ...TAGS,
  operationId: 'listInvoices',
  summary: 'Documents that were made final, oldest first',
  querystring: InvoiceQuerySchema,
  response: { 200: InvoicePageSchema, ...REFUSALS },
}
const GET_INVOICE = {
  ...TAGS,
  operationId: 'getInvoice',
  summary: 'A document that was made final',
  description: 'As `text/html` by `Accept`: a page to read and to print.',
  params: InvoiceParamsSchema,
  response: { 200: FinalInvoiceSchema, ...REFUSALS },
}
const PROVE_LINE = {
  ...TAGS,
  operationId: 'proveInvoiceLine',
  summary: 'Count a line again, from its events as they are now',
  params: InvoiceLineParamsSchema,
  response: { 200: InvoiceProofSchema, ...REFUSALS },
}
