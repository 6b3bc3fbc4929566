import { hash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { AMOUNT_FRACTION_DIGITS_MAX, formatAmount, parseAmount } from '../../domain/money.ts'
import type { PlanInterval } from '../../domain/time/intervals.ts'
import type { OwnSubscription } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import type { VendorKit } from '../vendor.ts'
import { vendorRecords } from '../vendor-records.ts'
import { productRecords } from './catalog-routes.ts'
import { secondsOf } from './lists.ts'
import { majorOf, ownPriceOf, type PriceData, priceJson, priceRecords } from './prices.ts'

export type Item = { readonly price: string; readonly quantity: number | null }
export type SubscriptionData = {
  readonly items: readonly Item[]
  readonly metadata: Readonly<Record<string, unknown>>
  readonly canceledAt: number | null
}

export function subscriptionRecords({ records }: VendorKit) {
  return vendorRecords<SubscriptionData>(records, 'stripe', 'subscription')
}

const INTERVALS: Readonly<Record<string, PlanInterval>> = {
  'day 1': 'day',
  'week 1': 'week',
  'week 4': '28days',
  'month 1': 'month',
  'month 3': '3months',
  'month 6': '6months',
  'year 1': 'year',
  'month 12': 'year',
}

/** A plan made for the set of prices, once: what is licensed is its base fee, what is metered a charge each. */
export async function planOfItems(kit: VendorKit, request: FastifyRequest, items: readonly Item[]): Promise<string> {
  const tollgate = kit.own(request)
  const priced = await pricesOf(kit, request, items)
  const [first] = priced
  if (first === undefined) return refuseInput('items', 'Missing required param: items.', 'missing')
  const of = ({ currency, interval, intervalCount }: PriceData) => `${currency} ${interval} ${intervalCount}`
  if (priced.some(({ price }) => of(price) !== of(first.price)))
    return refuseInput('items', 'all prices of a subscription have one currency and one interval')
  const { currency, interval, intervalCount } = first.price
  const own = INTERVALS[`${interval} ${intervalCount}`] ?? refuseInput('items', `no plan has the interval of ${intervalCount} ${interval}`)
  const fee = priced
    .filter(({ price }) => price.meter === null)
    .reduce((sum, { price, item }) => sum + amountOf(price) * BigInt(item.quantity ?? 1), 0n)
  const features = await productRecords(kit).getAll(request.principal.tenant, [...new Set(priced.map(({ price }) => price.product))])
  const given = new Set([...features.values()].flatMap(({ data }) => data.features))
  const key = `st_${hash('sha256', JSON.stringify([priced.map(({ item }) => [item.price, item.quantity]), [...given]])).slice(0, 32)}`
  await tollgate.putPlan(key, {
    ...{
      product: first.price.product,
      name: `Prices ${items.map(({ price }) => price).join(', ')}`.slice(0, 256),
      currency,
      interval: own,
    },
    ...(fee === 0n ? {} : { baseFee: formatAmount(fee), baseFeeTiming: 'advance' as const }),
    charges: priced.flatMap(({ item, price }) =>
      price.meter === null ? [] : [{ key: item.price, feature: price.meter, price: ownPriceOf(price) }],
    ),
    entitlements: [...given].map((feature) => ({ feature })),
  })
  return key
}

export async function pricesOf(kit: VendorKit, request: FastifyRequest, items: readonly Item[]) {
  const known = await priceRecords(kit).getAll(
    request.principal.tenant,
    items.map(({ price }) => price),
  )
  return items.map((item) => {
    const record = known.get(item.price)
    if (record === undefined) return refuseInput('items', `No such price: '${item.price.slice(0, 80)}'`)
    return { item, price: record.data, created: Math.floor(record.createdMs / 1_000) }
  })
}

/** In the major unit, times 10^12. */
function amountOf({ unit, currency }: PriceData): bigint {
  return (
    parseAmount(majorOf(unit ?? '0', currency)) ??
    refuseInput('items', `an amount has at most ${AMOUNT_FRACTION_DIGITS_MAX} fractional digits`)
  )
}

export async function subscriptionJson(kit: VendorKit, request: FastifyRequest, subscription: OwnSubscription, data: SubscriptionData) {
  const { id, customer, status, startAt, endAt, anchor, currentPeriod } = subscription
  const priced = await pricesOf(kit, request, data.items)
  const created = secondsOf(startAt)
  const isOver = status === 'ended'
  const end = endAt === null ? null : secondsOf(endAt)
  return {
    ...{
      id,
      object: 'subscription',
      status: isOver ? 'canceled' : 'active',
      customer,
      currency: priced[0]?.price.currency.toLowerCase() ?? 'usd',
    },
    ...{
      created,
      start_date: created,
      billing_cycle_anchor: secondsOf(anchor),
      cancel_at: isOver ? null : end,
      cancel_at_period_end: !isOver && end !== null,
    },
    ...{
      canceled_at: end === null ? null : (data.canceledAt ?? end),
      ended_at: isOver ? end : null,
      collection_method: 'charge_automatically',
    },
    ...{ latest_invoice: null, metadata: data.metadata, livemode: false, discounts: [], trial_start: null, trial_end: null },
    automatic_tax: { enabled: false, liability: null, disabled_reason: null },
    items: {
      ...{ object: 'list', url: `/v1/subscription_items?subscription=${id}`, has_more: false },
      data: priced.map(({ item, price, created: madeAt }, index) => ({
        ...{ id: `si_${id}_${index}`, object: 'subscription_item', created, subscription: id, metadata: {}, discounts: [], tax_rates: [] },
        ...{
          current_period_start: secondsOf(currentPeriod.start),
          current_period_end: secondsOf(currentPeriod.end ?? currentPeriod.start),
        },
        ...(price.meter === null ? { quantity: item.quantity ?? 1 } : {}),
        price: priceJson(item.price, price, madeAt),
        plan: {
          id: item.price,
          object: 'plan',
          amount: null,
          amount_decimal: price.unit,
          currency: price.currency.toLowerCase(),
          interval: price.interval,
        },
      })),
    },
  }
}
