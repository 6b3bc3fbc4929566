import type { InvoiceStore, StoredInvoice } from '../../adapters/database/invoices/invoice-store.ts'
import { formatQuantity } from '../../domain/decimal.ts'
import type { Offset, TenantKey } from '../../domain/identity.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { instantJson } from '../../schemas/http/instants.ts'
import {
  InvoiceLineParamsSchema,
  InvoiceProofSchema,
  LineEventPageSchema,
  LineEventQuerySchema,
  LineWindowQuerySchema,
  LineWindowsSchema,
} from '../../schemas/http/invoice-lines.ts'
import { type CountedLine, countedLine } from './counted-line.ts'
import { type LineEvent, type LogPlace, lineEvents } from './line-events.ts'
import { type LineWindowsDeps, lineWindows } from './line-windows.ts'
import { type ProveLineDeps, proveLine } from './prove-line.ts'

export type LineRoutesDeps = LineWindowsDeps & ProveLineDeps & { readonly invoices: Pick<InvoiceStore, 'get' | 'meter'> }

/** What lines are made of. */
export function lineRoutes(deps: LineRoutesDeps): (app: HttpApp) => Promise<void> {
  const { invoices } = deps
  const found = async (tenant: TenantKey, { id, line }: { id: string; line: string }): Promise<[StoredInvoice, CountedLine]> => {
    const invoice = orThrow((await invoices.get(tenant, id)) ?? refuse('unknown_invoice', { invoice: id }))
    return [invoice, orThrow(await countedLine(invoices, tenant, invoice, line))]
  }
  const config = { scope: 'read', isHeavyRead: true } as const
  return async (app) => {
    app.get('/v1/invoices/:id/lines/:line/proof', { config, schema: PROVE_LINE }, async (request) => {
      const { tenant } = request.principal
      const [{ subscription, currency }, counted] = await found(tenant, request.params)
      return await proveLine(deps, { tenant, subscription, currency }, counted)
    })
    app.get('/v1/invoices/:id/lines/:line/windows', { config, schema: LIST_WINDOWS }, async (request) => {
      const [, counted] = await found(request.principal.tenant, request.params)
      const windows = orThrow(await lineWindows(deps, counted, request.query.window ?? 'day'))
      const data = windows.map(({ period: { startMs, endMs }, quantityNano, events }) => {
        return { windowStart: instantJson(startMs), windowEnd: instantJson(endMs), quantity: formatQuantity(quantityNano), events }
      })
      return { quantity: counted.line.quantity ?? '0', data }
    })
    app.get('/v1/invoices/:id/lines/:line/events', { config, schema: LIST_EVENTS }, async (request) => {
      const { limit = LIMIT_DEFAULT, cursor } = request.query
      const [, counted] = await found(request.principal.tenant, request.params)
      const { events, next } = await lineEvents(deps.usageStore, counted, { limit, after: cursor === undefined ? null : placeOf(cursor) })
      return { data: events.map(eventJson), nextCursor: next === null ? null : `${next.offset}.${next.index}` }
    })
  }
}

const LIMIT_DEFAULT = 100

/** The schema has checked it: two whole numbers. */
function placeOf(cursor: string): LogPlace {
  const [offset = 0, index = 0] = cursor.split('.').map(Number)
  return { offset: offset as Offset, index }
}

function eventJson({ event, quantityNano }: LineEvent) {
  const { id, source, type, customer, subject, occurredAtMs, receivedAtMs, data, partition, offset } = event
  return {
    ...{ id, source, type, customer, subject, time: instantJson(occurredAtMs), receivedAt: instantJson(receivedAtMs) },
    ...{ data: JSON.parse(data) as Record<string, unknown>, quantity: formatQuantity(quantityNano), partition, offset },
  }
}

const OF_LINE = { tags: ['invoices'], params: InvoiceLineParamsSchema }

const PROVE_LINE = {
  ...OF_LINE,
  operationId: 'proveInvoiceLine',
  summary: 'Count and price a line again, from its events as they are now',
  response: { 200: InvoiceProofSchema, ...REFUSALS },
}
const LIST_WINDOWS = {
  ...OF_LINE,
  operationId: 'listInvoiceLineWindows',
  summary: 'What a line counts, by windows of UTC that have usage',
  description: 'For sums and counts the windows add up to the quantity of the line.',
  querystring: LineWindowQuerySchema,
  response: { 200: LineWindowsSchema, ...REFUSALS },
}
const LIST_EVENTS = {
  ...OF_LINE,
  operationId: 'listInvoiceLineEvents',
  summary: 'The events that a line counts, in the order of the log',
  description: 'For sums and counts their quantities add up to the quantity of the line.',
  querystring: LineEventQuerySchema,
  response: { 200: LineEventPageSchema, ...REFUSALS },
}
