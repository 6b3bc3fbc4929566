import { Type } from 'typebox'
import type { Clock } from '../../base/clock.ts'
import type { SubscriptionId } from '../../domain/identity.ts'
import { orThrow } from '../../domain/refusal.ts'
import { InvoiceSchema, REFUSALS, SubscriptionParamsSchema } from '../../schemas/http/catalog.ts'
import { type HttpApp, InstantSchema } from '../../schemas/http/common.ts'
import { parseInstant, periodJson } from '../../schemas/http/instants.ts'
import type { UpcomingInvoices } from './upcoming-invoice.ts'
import type { UpcomingLine } from './upcoming-lines.ts'

export type InvoiceRoutesDeps = { readonly upcomingInvoices: UpcomingInvoices; readonly clock: Clock }

export function invoiceRoutes({ upcomingInvoices, clock }: InvoiceRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.get('/v1/subscriptions/:id/upcoming-invoice', { config: { scope: 'read' }, schema: UPCOMING_INVOICE }, async (request) => {
      const subscription = request.params.id as SubscriptionId
      const atMs = request.query.at === undefined ? clock.now() : orThrow(parseInstant(request.query.at, 'at'))
      const { planVersion, currency, period, lines, total } = orThrow(
        await upcomingInvoices.of(request.principal.tenant, subscription, atMs),
      )
      const { plan, version } = planVersion
      return { subscription, plan, planVersion: version, currency, period: periodJson(period), lines: lines.map(lineJson), total }
    })
  }
}

const UPCOMING_INVOICE = {
  tags: ['invoices'],
  operationId: 'getUpcomingInvoice',
  summary: 'The invoice of a billing period so far',
  description:
    'The whole period is priced under the plan version in force at `at`, before coupons, credits and taxes; a period in which the plan changed is not split. What will be billed: `/invoice-preview`.',
  params: SubscriptionParamsSchema,
  querystring: Type.Object({ at: Type.Optional({ ...InstantSchema, description: 'An instant of the billing period; now when absent' }) }),
  response: { 200: InvoiceSchema, ...REFUSALS },
}

function lineJson({ tiers, billedBy, ...line }: UpcomingLine) {
  return { ...line, ...(tiers !== undefined && { tiers: [...tiers] }), ...(billedBy !== undefined && { billedBy: [...billedBy] }) }
}
