import { Type } from 'typebox'
import type { SubscriptionStore } from '../../adapters/database/subscriptions/subscription-store.ts'
import type { Clock } from '../../base/clock.ts'
import { type Subscription, subscriptionStatus } from '../../domain/catalog/subscription.ts'
import type { InstantMs, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import { tokenCustomer } from '../../domain/principal.ts'
import { type Outcome, orThrow, refuse, refuseFields } from '../../domain/refusal.ts'
import { InvoiceSchema, REFUSALS, SubscriptionParamsSchema } from '../../schemas/http/catalog.ts'
import { type HttpApp, InstantSchema } from '../../schemas/http/common.ts'
import { parseInstant, periodJson } from '../../schemas/http/instants.ts'
import type { UpcomingInvoices } from './upcoming-invoice.ts'
import type { UpcomingLine } from './upcoming-lines.ts'

export type InvoiceRoutesDeps = {
  readonly upcomingInvoices: UpcomingInvoices
  readonly subscriptions: Pick<SubscriptionStore, 'list'>
  readonly clock: Pick<Clock, 'now'>
}

export function invoiceRoutes({ upcomingInvoices, subscriptions, clock }: InvoiceRoutesDeps): (app: HttpApp) => Promise<void> {
  async function upcomingOf(tenant: TenantKey, subscription: SubscriptionId, at: string | undefined) {
    const atMs = at === undefined ? clock.now() : orThrow(parseInstant(at, 'at'))
    const { planVersion, currency, period, lines, total } = orThrow(await upcomingInvoices.of(tenant, subscription, atMs))
    const { plan, version } = planVersion
    return { subscription, plan, planVersion: version, currency, period: periodJson(period), lines: lines.map(lineJson), total }
  }
  return async (app) => {
    app.get('/v1/subscriptions/:id/upcoming-invoice', { config: { scope: 'read' }, schema: UPCOMING_INVOICE }, (request) =>
      upcomingOf(request.principal.tenant, request.params.id as SubscriptionId, request.query.at),
    )
    app.get('/v1/me/upcoming-invoice', { config: { tokenScope: 'read' }, schema: MY_UPCOMING_INVOICE }, async ({ principal, query }) => {
      const { data } = await subscriptions.list(principal.tenant, { customer: tokenCustomer(principal) }, { limit: SUBSCRIPTIONS_MAX })
      return upcomingOf(principal.tenant, orThrow(chosen(data, query.subscription, clock.now())), query.at)
    })
  }
}

/** A customer has few; one beyond it must be named, and then is looked for among these alone. */
const SUBSCRIPTIONS_MAX = 1_000

/** The subscription that is named, when it is one of these; else the only one that has not ended. */
function chosen(subscriptions: readonly Subscription[], named: string | undefined, nowMs: InstantMs): Outcome<SubscriptionId> {
  if (named !== undefined) {
    return subscriptions.find(({ id }) => id === named)?.id ?? refuse('unknown_subscription', { subscription: named })
  }
  const open = subscriptions.filter((subscription) => subscriptionStatus(subscription, nowMs) !== 'ended')
  const [only, ...more] = open
  if (only === undefined) return refuse('no_open_subscription', {})
  if (more.length === 0) return only.id
  const detail = `subscription must name one of ${open.map(({ id }) => id).join(', ')}, as there are ${open.length}`
  return refuseFields('missing', [{ field: 'subscription', code: 'missing', detail }])
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

const { params: _subscription, ...WITHOUT_PARAMS } = UPCOMING_INVOICE
const MY_UPCOMING_INVOICE = {
  ...WITHOUT_PARAMS,
  tags: ['me'],
  operationId: 'getMyUpcomingInvoice',
  querystring: Type.Object({
    ...UPCOMING_INVOICE.querystring.properties,
    subscription: Type.Optional(Type.String({ maxLength: 128, description: 'Needed when there are several that have not ended' })),
  }),
}

function lineJson({ tiers, billedBy, ...line }: UpcomingLine) {
  return { ...line, ...(tiers !== undefined && { tiers: [...tiers] }), ...(billedBy !== undefined && { billedBy: [...billedBy] }) }
}
