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
import { invoicePdf, issuedDocument } from './invoice-pdf.ts'
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
      const stored = await found(request.principal.tenant, request.params.id)
      switch (wantedType(request.headers.accept)) {
        case 'text/html':
          reply.type('text/html; charset=utf-8').header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
          return reply.send(invoiceHtml(invoiceJson(stored)) as never)
        case 'application/pdf': {
          const issued = issuedDocument(stored)
          const name = (issued.number ?? issued.id).replaceAll('/', '-')
          reply.type('application/pdf').header('content-disposition', `inline; filename="${name}.pdf"`)
          return reply.send((await invoicePdf(issued)) as never)
        }
        default:
          return invoiceJson(stored)
      }
    })
    app.get('/v1/invoices/:id/lines/:line/proof', { config: { scope: 'read' }, schema: PROVE_LINE }, async (request) => {
      const { tenant } = request.principal
      const invoice = await found(tenant, request.params.id)
      return orThrow(await proveLine({ invoices, usageStore }, tenant, invoice, request.params.line))
    })
  }
}

const LIMIT_DEFAULT = 100

const TYPES = ['application/json', 'text/html', 'application/pdf'] as const

/** The first that is named, as a browser names HTML first; whoever takes anything gets JSON. */
function wantedType(accept = ''): (typeof TYPES)[number] {
  const named = accept.split(',').map((type) => type.split(';', 1)[0]?.trim())
  const known = named.flatMap((name) => TYPES.find((type) => type === name) ?? [])
  return known[0] ?? 'application/json'
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
  description:
    'By `Accept`: as `text/html`, a page to read and to print; as `application/pdf`, the document as it was issued, the same bytes each time.',
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
