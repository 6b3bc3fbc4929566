import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { formatQuantity, parseQuantity } from '../../domain/decimal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { derivedUuid } from '../derived-uuid.ts'
import { type OwnSubscription, unlessRefused } from '../own-routes.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { lastSecondOf, namedBody, textOf } from './bodies.ts'
import { metricId, metricRecords, SUBSCRIPTION_DIMENSION } from './metric-routes.ts'
import { centsOf, ownPriceOf, type PlanData, planRecords } from './plans.ts'
import { refuseAs } from './refuse-values.ts'

/** What one subscription used in its period, and what that comes to: each group of a charge is rounded to the cent. */
export async function usageRoutes(app: HttpApp, kit: VendorKit): Promise<void> {
  const { own, clock } = kit

  app.get<{ Params: { readonly id: string } }>('/customers/:id/current_usage', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    await tollgate.customer(request.params.id)
    const id = textOf(request.query, 'external_subscription_id') ?? ''
    const { subscription, plan } = await runningOf(kit, request, id)
    const metric = textOf(request.query, 'billable_metric_code')
    const charges_usage = (await chargesUsage(kit, request, subscription, plan)).filter(
      (each) => metric === undefined || each.billable_metric.code === metric,
    )
    const amount = charges_usage.reduce((sum, { amount_cents }) => sum + amount_cents, 0)
    const to = lastSecondOf(subscription.currentPeriod.end ?? new Date(clock.now()).toISOString())
    return {
      customer_usage: {
        ...{ from_datetime: subscription.currentPeriod.start, to_datetime: to, issuing_date: to.slice(0, 10), lago_invoice_id: null },
        ...{ currency: plan.amount_currency, amount_cents: amount, taxes_amount_cents: 0, total_amount_cents: amount, charges_usage },
      },
    }
  })

  app.post('/invoices/preview', { config: ANY_KEY }, async (request) => {
    const { external_ids: ids } = namedBody(
      request,
      'subscriptions',
      Type.Object({ external_ids: Type.Array(Type.String(), { minItems: 1, maxItems: 1 }) }),
    )
    const { subscription, plan } = await runningOf(kit, request, ids[0] ?? '')
    const charges = await chargesUsage(kit, request, subscription, plan)
    const fees = [
      feeJson(plan.amount_currency, plan.amount_cents, '1.0', subscription.id, {
        type: 'subscription',
        code: plan.code,
        name: plan.name,
        item_type: 'Subscription',
      }),
      ...charges.map(({ amount_cents, units, billable_metric: { code, name } }) =>
        feeJson(plan.amount_currency, amount_cents, units, subscription.id, { type: 'charge', code, name, item_type: 'BillableMetric' }),
      ),
    ]
    const total = fees.reduce((sum, { amount_cents }) => sum + amount_cents, 0)
    const now = new Date(clock.now()).toISOString()
    return {
      invoice: {
        ...{
          lago_id: null,
          billing_entity_code: null,
          number: '',
          issuing_date: lastSecondOf(subscription.currentPeriod.end ?? now).slice(0, 10),
        },
        ...{
          invoice_type: 'subscription',
          status: 'draft',
          payment_status: 'pending',
          currency: plan.amount_currency,
          fees_amount_cents: total,
        },
        ...{ coupons_amount_cents: 0, credit_notes_amount_cents: 0, sub_total_excluding_taxes_amount_cents: total, taxes_amount_cents: 0 },
        ...{ sub_total_including_taxes_amount_cents: total, prepaid_credit_amount_cents: 0, progressive_billing_credit_amount_cents: 0 },
        ...{ total_amount_cents: total, version_number: 4, created_at: now, updated_at: now, customer: {}, subscriptions: [], credits: [] },
        ...{ applied_taxes: [], fees },
      },
    }
  })
}

async function runningOf(kit: VendorKit, request: FastifyRequest, id: string) {
  const subscription = id === '' ? null : await unlessRefused(kit.own(request).subscription(id), 'unknown_subscription')
  const plan = subscription === null ? null : await planRecords(kit).get(request.principal.tenant, subscription.plan)
  if (subscription === null || plan === null || subscription.status === 'ended')
    return refuseAs(405, 'no_active_subscription', `no active subscription '${id}'`)
  return { subscription, plan: plan.data }
}

async function chargesUsage(kit: VendorKit, request: FastifyRequest, { id, currentPeriod }: OwnSubscription, plan: PlanData) {
  const { tenant } = request.principal
  const tollgate = kit.own(request)
  const metrics = await metricRecords(kit).getAll(
    tenant,
    plan.charges.map(({ metric }) => metric),
  )
  return await Promise.all(
    plan.charges.map(async (charge, index) => {
      const keys = charge.properties.pricing_group_keys ?? []
      const { data } = await tollgate.usage(charge.metric, {
        ...{ from: currentPeriod.start, to: currentPeriod.end ?? new Date(kit.clock.now() + 1).toISOString(), groupBy: keys.join(',') },
        ...{ [`filter[${SUBSCRIPTION_DIMENSION}]`]: id, waitMs: SEEN_WITHIN_MS },
      })
      const groups = await Promise.all(
        data.map(async ({ value, events, dimensions = {} }) => {
          const { amount } = await tollgate.rate({ price: ownPriceOf(charge), quantity: value ?? '0', currency: plan.amount_currency })
          return {
            ...{
              grouped_by: dimensions,
              units: unitsText(value ?? '0'),
              total_aggregated_units: unitsText(value ?? '0'),
              events_count: events,
            },
            ...{ amount_cents: centsOf(amount), filters: [], pricing_unit_details: null, presentation_breakdowns: [] },
          }
        }),
      )
      const units = unitsText(formatQuantity(data.reduce((sum, { value }) => sum + (parseQuantity(value ?? '0') ?? 0n), 0n)))
      const name = metrics.get(charge.metric)?.data.name ?? charge.metric
      const aggregation_type = metrics.get(charge.metric)?.data.aggregation_type ?? 'sum_agg'
      return {
        ...{ units, total_aggregated_units: units, events_count: groups.reduce((sum, { events_count }) => sum + events_count, 0) },
        ...{ amount_cents: groups.reduce((sum, { amount_cents }) => sum + amount_cents, 0), amount_currency: plan.amount_currency },
        charge: {
          ...{ lago_id: derivedUuid(tenant, 'lago charge', `${plan.code} ${index}`), code: charge.code ?? charge.metric },
          ...{ charge_model: charge.charge_model, invoice_display_name: null },
        },
        billable_metric: { lago_id: metricId(tenant, charge.metric), name, code: charge.metric, aggregation_type },
        ...{ filters: [], grouped_usage: keys.length === 0 ? [] : groups, pricing_unit_details: null, presentation_breakdowns: [] },
      }
    }),
  )
}

const SEEN_WITHIN_MS = 1_500

/** Lago writes whole numbers as `125.0`. */
function unitsText(value: string): string {
  return value.includes('.') ? value : `${value}.0`
}

function feeJson(
  currency: string,
  cents: number,
  units: string,
  subscription: string,
  item: { readonly type: string; readonly code: string; readonly name: string; readonly item_type: string },
) {
  return {
    ...{
      amount_cents: cents,
      amount_currency: currency,
      units,
      total_aggregated_units: units,
      total_amount_cents: cents,
      total_amount_currency: currency,
    },
    ...{ taxes_amount_cents: 0, taxes_rate: 0, pay_in_advance: false, invoiceable: true, payment_status: 'pending' },
    ...{ sub_total_excluding_taxes_amount_cents: cents, external_subscription_id: subscription, item },
  }
}
