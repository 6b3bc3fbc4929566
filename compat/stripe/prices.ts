import { formatDecimal, parseDecimal } from '../../domain/decimal.ts'
import type { Tollgate } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import type { VendorKit } from '../vendor.ts'
import { vendorRecords } from '../vendor-records.ts'
import { type Form, formIn, listIn, neededText, textIn, wholeIn } from './forms.ts'

type Tier = { readonly up_to: number | null; readonly unit: string | null; readonly flat: string | null }
/** Amounts are decimal text in cents. */
export type PriceData = {
  readonly product: string
  readonly currency: string
  readonly interval: string
  readonly intervalCount: number
  readonly meter: string | null
  readonly unit: string | null
  readonly tiersMode: 'graduated' | 'volume' | null
  readonly tiers: readonly Tier[]
  readonly divideBy: number | null
  readonly metadata: Readonly<Record<string, unknown>>
}

export function priceRecords({ records }: VendorKit) {
  return vendorRecords<PriceData>(records, 'stripe', 'price')
}

/** What the form of a price says; refuses what could not be billed so. */
export function priceOf(form: Form): PriceData {
  const recurring = formIn(form, 'recurring')
  const isTiered = textIn(form, 'billing_scheme') === 'tiered'
  const transform = formIn(form, 'transform_quantity')
  if (textIn(transform, 'round') === 'down')
    return refuseInput('transform_quantity[round]', 'a package begun is due in full: round must be up')
  const tiersMode = textIn(form, 'tiers_mode')
  if (isTiered && tiersMode !== 'graduated' && tiersMode !== 'volume')
    return refuseInput('tiers_mode', 'tiers_mode must be graduated or volume', 'missing')
  const isMetered = textIn(recurring, 'usage_type') === 'metered'
  return {
    product: neededText(form, 'product'),
    currency: neededText(form, 'currency').toUpperCase(),
    interval:
      textIn(recurring, 'interval') ?? refuseInput('recurring[interval]', 'a price recurs: recurring[interval] is missing', 'missing'),
    intervalCount: wholeIn(recurring, 'interval_count') ?? 1,
    meter: isMetered ? (textIn(recurring, 'meter') ?? refuseInput('recurring[meter]', 'a metered price needs a meter', 'missing')) : null,
    unit: isTiered ? null : (centsOf(form, 'unit_amount') ?? refuseInput('unit_amount', 'Missing required param: unit_amount.', 'missing')),
    tiersMode: isTiered ? (tiersMode as 'graduated' | 'volume') : null,
    tiers: isTiered ? listIn(form, 'tiers').map((tier) => tierOf(tier as Form)) : [],
    divideBy: wholeIn(transform, 'divide_by') ?? null,
    metadata: formIn(form, 'metadata'),
  }
}

function tierOf(form: Form): Tier {
  const upTo = neededText(form, 'up_to')
  return {
    up_to: upTo === 'inf' ? null : (wholeIn(form, 'up_to') ?? null),
    unit: centsOf(form, 'unit_amount'),
    flat: centsOf(form, 'flat_amount'),
  }
}

const CENT_DIGITS = 12

/** `unit_amount` or `unit_amount_decimal`, in cents. */
function centsOf(form: Form, name: string): string | null {
  const text = textIn(form, name) ?? textIn(form, `${name}_decimal`)
  if (text === undefined) return null
  const cents = parseDecimal(text, 15, CENT_DIGITS)
  if (cents === null || cents < 0n)
    return refuseInput(name, `${name} must be a decimal of up to ${CENT_DIGITS} fractional digits, was '${text.slice(0, 40)}'`)
  return formatDecimal(cents, CENT_DIGITS)
}

/** In the major unit: `0.0025` of 0.25 cents. Stripe's amounts are in hundredths but for currencies without any. */
export function majorOf(cents: string, currency: string): string {
  const digits = ZERO_DECIMAL.has(currency) ? 0 : 2
  return formatDecimal(parseDecimal(cents, 15, CENT_DIGITS) ?? 0n, CENT_DIGITS + digits)
}

const ZERO_DECIMAL = new Set([
  'BIF',
  'CLP',
  'DJF',
  'GNF',
  'JPY',
  'KMF',
  'KRW',
  'MGA',
  'PYG',
  'RWF',
  'UGX',
  'VND',
  'VUV',
  'XAF',
  'XOF',
  'XPF',
])

/** The price of a charge of ours. */
export function ownPriceOf({ unit, currency, tiersMode, tiers, divideBy }: PriceData): Charge['price'] {
  if (tiersMode !== null) {
    return {
      model: tiersMode === 'graduated' ? 'tiered' : 'volume',
      tiers: tiers.map((tier) => ({
        upTo: tier.up_to,
        ...(tier.unit === null ? {} : { unitAmount: majorOf(tier.unit, currency) }),
        ...(tier.flat === null ? {} : { flatAmount: majorOf(tier.flat, currency) }),
      })),
    }
  }
  const amount = majorOf(unit ?? '0', currency)
  return divideBy === null ? { model: 'flat', unitAmount: amount } : { model: 'package', amount, packageSize: divideBy }
}

type Charge = NonNullable<Parameters<Tollgate['putPlan']>[1]['charges']>[number]

export function priceJson(id: string, price: PriceData, created: number, withTiers = false) {
  const { product, currency, interval, intervalCount, meter, unit, tiersMode, tiers, divideBy, metadata } = price
  return {
    ...{
      id,
      object: 'price',
      active: true,
      billing_scheme: tiersMode === null ? 'per_unit' : 'tiered',
      created,
      currency: currency.toLowerCase(),
    },
    ...{
      custom_unit_amount: null,
      livemode: false,
      lookup_key: null,
      metadata,
      nickname: null,
      product,
      tax_behavior: 'unspecified',
      type: 'recurring',
    },
    recurring: {
      interval,
      interval_count: intervalCount,
      meter,
      trial_period_days: null,
      usage_type: meter === null ? 'licensed' : 'metered',
    },
    tiers_mode: tiersMode,
    transform_quantity: divideBy === null ? null : { divide_by: divideBy, round: 'up' },
    unit_amount: wholeCents(unit),
    unit_amount_decimal: unit,
    ...(withTiers && tiersMode !== null
      ? {
          tiers: tiers.map((tier) => ({
            ...{ up_to: tier.up_to, unit_amount: wholeCents(tier.unit), unit_amount_decimal: tier.unit },
            ...{ flat_amount: wholeCents(tier.flat), flat_amount_decimal: tier.flat },
          })),
        }
      : {}),
  }
}

function wholeCents(cents: string | null): number | null {
  return cents !== null && /^\d+$/.test(cents) ? Number(cents) : null
}
