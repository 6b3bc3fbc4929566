import type { Shape } from '../api/client.ts'
import type { Price } from './price-text.ts'

/** A plan as the builder holds it: every figure is text as it was typed, so that nothing is lost before the server judges it. */
export type TierDraft = { readonly upTo: string; readonly unitAmount: string; readonly flatAmount: string }
export type Model = Price['model']
export type ChargeDraft = {
  readonly id: number
  readonly key: string
  readonly feature: string
  readonly filter: Readonly<Record<string, string[]>>
  readonly model: Model
  readonly per: string
  readonly unitAmount: string
  readonly amount: string
  readonly packageSize: string
  readonly freeUnits: string
  readonly tiers: readonly TierDraft[]
  /** What the builder does not show goes back as it was. */
  readonly kept: Readonly<Record<string, unknown>>
}
export type PlanDraft = {
  readonly key: string
  readonly product: string
  readonly name: string
  readonly currency: string
  readonly interval: Shape<'Plan'>['interval']
  readonly baseFee: string
  readonly baseFeeTiming: 'advance' | 'arrears'
  readonly charges: readonly ChargeDraft[]
  readonly entitlements: Shape<'Plan'>['entitlements']
  readonly kept: Readonly<Record<string, unknown>>
}

let made = 0
const EMPTY_TIER = { upTo: '', unitAmount: '', flatAmount: '' }

export function newCharge(feature: string): ChargeDraft {
  return {
    id: ++made,
    key: '',
    feature,
    filter: {},
    model: 'flat',
    per: '',
    unitAmount: '',
    amount: '',
    packageSize: '',
    freeUnits: '',
    tiers: [EMPTY_TIER],
    kept: {},
  }
}

export function newPlan(product: string): PlanDraft {
  return {
    key: '',
    product,
    name: '',
    currency: 'USD',
    interval: 'month',
    baseFee: '',
    baseFeeTiming: 'advance',
    charges: [],
    entitlements: [],
    kept: {},
  }
}

export function draftOf(plan: Shape<'Plan'>): PlanDraft {
  const {
    key,
    version,
    product,
    name,
    currency,
    interval,
    baseFee,
    baseFeeTiming,
    charges,
    entitlements,
    createdAt,
    updatedAt,
    archivedAt,
    ...kept
  } = plan
  return {
    ...{ key, product, name, currency, interval, baseFee: baseFee ?? '', baseFeeTiming: baseFeeTiming ?? 'advance', entitlements, kept },
    charges: charges.map(({ key: charge, feature, filter, price, ...rest }) => ({
      ...newCharge(feature),
      key: charge,
      filter,
      ...priceDraft(price),
      kept: rest,
    })),
  }
}

function priceDraft(price: Price): Partial<ChargeDraft> & Pick<ChargeDraft, 'model'> {
  const per = 'per' in price ? (price.per ?? '') : ''
  switch (price.model) {
    case 'flat':
      return { model: 'flat', per, unitAmount: price.unitAmount }
    case 'package':
      return { model: 'package', amount: price.amount, packageSize: price.packageSize, freeUnits: price.freeUnits ?? '' }
    case 'tiered':
    case 'volume':
    case 'stairstep':
      return {
        model: price.model,
        per,
        tiers: price.tiers.map(({ upTo, unitAmount, flatAmount }) => ({
          upTo: upTo ?? '',
          unitAmount: unitAmount ?? '',
          flatAmount: flatAmount ?? '',
        })),
      }
  }
}

export function priceOf({ model, per, unitAmount, amount, packageSize, freeUnits, tiers }: ChargeDraft): Shape<'RateInput'>['price'] {
  const block = per === '' ? {} : { per }
  switch (model) {
    case 'flat':
      return { model, unitAmount, ...block }
    case 'package':
      return { model, amount, packageSize, ...(freeUnits === '' ? {} : { freeUnits }) }
    case 'tiered':
    case 'volume':
    case 'stairstep':
      return {
        model,
        ...block,
        tiers: tiers.map((tier, at) => ({
          upTo: at === tiers.length - 1 || tier.upTo === '' ? null : tier.upTo,
          ...(tier.unitAmount === '' ? {} : { unitAmount: tier.unitAmount }),
          ...(tier.flatAmount === '' ? {} : { flatAmount: tier.flatAmount }),
        })),
      }
  }
}

export function inputOf({ key: _key, charges, baseFee, kept, ...plan }: PlanDraft): Shape<'PlanInput'> {
  return {
    ...kept,
    ...plan,
    baseFee: baseFee === '' ? null : baseFee,
    charges: charges.map((charge) => ({
      ...charge.kept,
      key: charge.key,
      feature: charge.feature,
      filter: { ...charge.filter },
      price: priceOf(charge),
    })),
  }
}
