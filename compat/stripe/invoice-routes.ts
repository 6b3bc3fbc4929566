import { parseAmount } from '../../domain/money.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { jsonNumber } from '../json-number.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { type Form, neededText } from './forms.ts'
import { secondsOf } from './lists.ts'
import { majorOf } from './prices.ts'
import { pricesOf, subscriptionRecords } from './subscriptions.ts'

/** What is owed so far. */
export async function invoiceRoutes(app: HttpApp, kit: VendorKit): Promise<void> {
  const { own, clock } = kit
  app.post('/v1/invoices/create_preview', { config: ANY_KEY }, async (request) => {
    const form = (request.body ?? {}) as Form
    const id = neededText(form, 'subscription')
    const tollgate = own(request)
    const { customer } = await tollgate.subscription(id)
    const { currency, period, lines } = await tollgate.upcomingInvoice(id)
    const items = (await subscriptionRecords(kit).get(request.principal.tenant, id))?.data.items
    if (items === undefined) return refuseInput('subscription', `subscription ${id} has no prices of Stripe's shape`)
    const priced = await pricesOf(kit, request, items)
    const span = { start: secondsOf(period.start), end: secondsOf(period.end ?? period.start) }
    const shown = priced.map(({ item, price }, index) => {
      const line = lines.find(({ charge }) => charge === item.price)
      const quantity = price.meter === null ? String(item.quantity ?? 1) : (line?.quantity ?? '0')
      const amount =
        price.meter === null
          ? centsOf(majorOf(price.unit ?? '0', price.currency), currency) * (item.quantity ?? 1)
          : centsOf(line?.amount ?? '0', currency)
      return {
        ...{ id: `il_${id}_${index}`, object: 'line_item', amount, subtotal: amount, currency: currency.toLowerCase(), subscription: id },
        ...{
          quantity: jsonNumber(quantity),
          quantity_decimal: quantity,
          description: null,
          discountable: true,
          discounts: [],
          discount_amounts: [],
        },
        ...{ taxes: [], metadata: {}, livemode: false, invoice: null, period: span },
        pricing: { type: 'price_details', price_details: { price: item.price, product: price.product }, unit_amount_decimal: price.unit },
        parent: {
          ...{ type: 'subscription_item_details', invoice_item_details: null },
          subscription_item_details: {
            subscription: id,
            subscription_item: `si_${id}_${index}`,
            proration: false,
            proration_details: null,
            invoice_item: null,
          },
        },
      }
    })
    const total = shown.reduce((sum, { amount }) => sum + amount, 0)
    return {
      ...{
        id: `upcoming_in_${id}`,
        object: 'invoice',
        status: 'draft',
        billing_reason: 'upcoming',
        customer,
        currency: currency.toLowerCase(),
      },
      ...{
        created: Math.floor(clock.now() / 1_000),
        number: null,
        collection_method: 'charge_automatically',
        period_start: span.start,
        period_end: span.end,
      },
      ...{
        subtotal: total,
        total,
        amount_due: total,
        amount_paid: 0,
        amount_remaining: total,
        total_taxes: [],
        discounts: [],
        metadata: {},
        livemode: false,
      },
      parent: { type: 'subscription_details', quote_details: null, subscription_details: { subscription: id, metadata: {} } },
      lines: { object: 'list', url: '/v1/invoices/upcoming/lines', has_more: false, data: shown },
    }
  })
}

/** Whole cents of an amount that is rounded to the currency already; of a fraction of a cent in a licensed price, the nearest. */
function centsOf(amount: string, currency: string): number {
  const pico = parseAmount(amount) ?? 0n
  const perCent = parseAmount(majorOf('1', currency)) ?? 1n
  return Number((pico + perCent / 2n) / perCent)
}
