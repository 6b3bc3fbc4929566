import type { FastifyReply, FastifyRequest } from 'fastify'
import type { InvoiceFilter, InvoiceStore } from '../../adapters/database/invoices/invoice-store.ts'
import type { CustomerKey, SubscriptionId } from '../../domain/identity.ts'
import { tokenCustomer } from '../../domain/principal.ts'
import { type Outcome, orThrow, refuse } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { parseInstant } from '../../schemas/http/instants.ts'
import { InvoiceDocumentSchema, InvoicePageSchema, InvoiceParamsSchema, InvoiceQuerySchema } from '../../schemas/http/invoices.ts'
import type { DraftShelf } from '../drafts/draft-shelf.ts'
import { invoiceHtml } from './invoice-html.ts'
import { type InvoiceJson, invoiceJson } from './invoice-json.ts'
import { invoicePdf, issuedDocument } from './invoice-pdf.ts'

export type DocumentRoutesDeps = {
  readonly invoices: Pick<InvoiceStore, 'get' | 'list'>
  readonly shelf: Pick<DraftShelf, 'get' | 'list'>
}

export function documentRoutes({ invoices, shelf }: DocumentRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.get('/v1/invoices', { config: { scope: 'read', asMe: LIST_MINE }, schema: LIST_INVOICES }, async (request) => {
      const { limit = LIMIT_DEFAULT, cursor, customer, subscription, status, from, to } = request.query
      const asked = { limit, ...(cursor !== undefined && { cursor }) }
      if (status === 'draft') {
        const of = { customer: customer as CustomerKey | undefined, subscription: subscription as SubscriptionId | undefined }
        const drafts = orThrow(await shelf.list(request.principal.tenant, of, asked))
        return { ...drafts, data: [...drafts.data] }
      }
      const filter: InvoiceFilter = {
        ...{ customer: customer as CustomerKey | undefined, subscription: subscription as SubscriptionId | undefined, status },
        fromMs: from === undefined ? undefined : orThrow(parseInstant(from, 'from')),
        toMs: to === undefined ? undefined : orThrow(parseInstant(to, 'to')),
      }
      const page = await invoices.list(request.principal.tenant, filter, asked)
      return { data: page.data.map(invoiceJson), nextCursor: page.nextCursor }
    })
    app.get('/v1/invoices/:id', { config: { scope: 'read' }, schema: GET_INVOICE }, async (request, reply) =>
      sendDocument(request, reply, async () => shelf.get(request.principal.tenant, request.params.id)),
    )
    app.get('/v1/me/invoices/:id', { config: { tokenScope: 'read' }, schema: GET_MY_INVOICE }, async (request, reply) => {
      const { tenant } = request.principal
      const { id } = request.params
      const final = await invoices.get(tenant, id)
      if (final?.record.customer !== tokenCustomer(request.principal)) orThrow(refuse('unknown_invoice', { invoice: id }))
      return sendDocument(request, reply, async () => shelf.get(tenant, id))
    })
  }

  /** In the form that the caller accepts. */
  async function sendDocument(
    request: DocumentRequest,
    reply: FastifyReply,
    document: () => Promise<Outcome<InvoiceJson>>,
  ): Promise<InvoiceJson> {
    const { id } = request.params
    switch (wantedType(request.headers.accept)) {
      case 'text/html':
        reply.type('text/html; charset=utf-8').header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
        return reply.send(invoiceHtml(orThrow(await document())) as never) as never
      case 'application/pdf': {
        const issued = issuedDocument(
          orThrow((await invoices.get(request.principal.tenant, id)) ?? refuse('unknown_invoice', { invoice: id })),
        )
        const name = (issued.number ?? issued.id).replaceAll('/', '-')
        reply.type('application/pdf').header('content-disposition', `inline; filename="${name}.pdf"`)
        return reply.send((await invoicePdf(issued)) as never) as never
      }
      default:
        return orThrow(await document())
    }
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
const LIST_MINE = { url: '/v1/me/invoices', scope: 'read', operationId: 'listMyInvoices', withoutQuery: ['status'] } as const

const LIST_INVOICES = {
  ...TAGS,
  operationId: 'listInvoices',
  summary: 'Documents that were made final, oldest first; drafts with `status=draft`',
  description: 'Drafts of subscriptions are views, counted and priced at every read: they are listed by `customer` or `subscription`.',
  querystring: InvoiceQuerySchema,
  response: { 200: InvoicePageSchema, ...REFUSALS },
}
const GET_INVOICE = {
  ...TAGS,
  operationId: 'getInvoice',
  summary: 'A document',
  description:
    'By `Accept`: as `text/html`, a page to read and to print; as `application/pdf`, the document as it was issued, the same bytes each time.',
  params: InvoiceParamsSchema,
  response: { 200: InvoiceDocumentSchema, ...REFUSALS },
}
const GET_MY_INVOICE = {
  ...GET_INVOICE,
  tags: ['me'],
  operationId: 'getMyInvoice',
  description: 'Final ones alone. By `Accept`, as for keys.',
}

type DocumentRequest = Pick<FastifyRequest, 'headers' | 'principal'> & { readonly params: { readonly id: string } }
