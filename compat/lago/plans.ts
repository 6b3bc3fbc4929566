import { type Static, Type } from 'typebox'
import { formatAmount, parseAmount } from '../../domain/money.ts'
import type { PlanInterval } from '../../domain/time/intervals.ts'
import type { Tollgate } from '../own-routes.ts'
import type { VendorKit } from '../vendor.ts'
import { vendorRecords } from '../vendor-records.ts'
import { OptionalText } from './bodies.ts'
import { refuseValues } from './refuse-values.ts'

const Range = Type.Object({
  ...{
    from_value: Type.Number(),
    to_value: Type.Union([Type.Number(), Type.Null()]),
    flat_amount: Type.String(),
    per_unit_amount: Type.String(),
  },
})
const ChargeSchema = Type.Object({
  billable_metric_id: Type.String(),
  code: OptionalText,
  charge_model: Type.Enum(['standard', 'graduated', 'volume', 'package']),
  pay_in_advance: Type.Optional(Type.Boolean()),
  filters: Type.Optional(Type.Array(Type.Unknown())),
  properties: Type.Object({
    ...{ amount: Type.Optional(Type.String()), package_size: Type.Optional(Type.Number()), free_units: Type.Optional(Type.Number()) },
    ...{ graduated_ranges: Type.Optional(Type.Array(Range)), volume_ranges: Type.Optional(Type.Array(Range)) },
    pricing_group_keys: Type.Optional(Type.Array(Type.String())),
  }),
})
export const PlanSchema = Type.Object({
  ...{
    code: Type.String(),
    name: Type.String(),
    description: OptionalText,
    amount_cents: Type.Integer({ minimum: 0 }),
    amount_currency: Type.String(),
  },
  interval: Type.Enum(['weekly', 'monthly', 'quarterly', 'semiannual', 'yearly']),
  pay_in_advance: Type.Optional(Type.Boolean()),
  charges: Type.Optional(Type.Array(ChargeSchema, { maxItems: 100 })),
})
export type Charge = Static<typeof ChargeSchema> & { readonly metric: string }
export type PlanData = Omit<Static<typeof PlanSchema>, 'charges'> & {
  readonly charges: readonly Charge[]
  /** Feature to the values of its privileges. */
  readonly entitlements: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export function planRecords({ records }: VendorKit) {
  return vendorRecords<PlanData>(records, 'lago', 'plan')
}

/** All plans are of one product. */
export const PRODUCT = 'lago'
const INTERVALS: Readonly<Record<PlanData['interval'], PlanInterval>> = {
  weekly: 'week',
  monthly: 'month',
  quarterly: '3months',
  semiannual: '6months',
  yearly: 'year',
}

export function ownPlanOf({
  name,
  amount_cents,
  amount_currency,
  interval,
  pay_in_advance,
  charges,
  entitlements,
}: PlanData): OwnPlanInput {
  const fee = feeOf(amount_cents)
  return {
    ...{ product: PRODUCT, name, currency: amount_currency, interval: INTERVALS[interval] },
    ...(amount_cents === 0 ? {} : { baseFee: fee, baseFeeTiming: pay_in_advance === true ? ('advance' as const) : ('arrears' as const) }),
    charges: charges.map((charge, index) => ({
      key: charge.code ?? `${charge.metric}-${index}`,
      feature: charge.metric,
      price: ownPriceOf(charge),
    })),
    entitlements: Object.entries(entitlements).map(([feature, value]) => ({ feature, value })),
  }
}

type OwnPlanInput = Parameters<Tollgate['putPlan']>[1]

/** Refuses what would be priced otherwise than it says. */
export function ownPriceOf({
  charge_model: model,
  properties,
  filters,
  pay_in_advance,
}: Charge): NonNullable<OwnPlanInput['charges']>[number]['price'] {
  if (pay_in_advance === true) refuseValues({ pay_in_advance: ['value_is_invalid'] })
  if (filters !== undefined && filters.length > 0) refuseValues({ filters: ['value_is_invalid'] })
  const hasGroups = (properties.pricing_group_keys ?? []).length > 0
  // A price in tiers starts anew in each group, which one charge of ours does not.
  if (hasGroups && model !== 'standard') refuseValues({ pricing_group_keys: ['value_is_invalid'] })
  switch (model) {
    case 'standard':
      return { model: 'flat', unitAmount: properties.amount ?? refuseValues({ amount: ['value_is_mandatory'] }) }
    case 'package':
      return {
        ...{
          model,
          amount: properties.amount ?? refuseValues({ amount: ['value_is_mandatory'] }),
          packageSize: properties.package_size ?? 1,
        },
        ...(properties.free_units === undefined ? {} : { freeUnits: properties.free_units }),
      }
    default: {
      const ranges = (model === 'graduated' ? properties.graduated_ranges : properties.volume_ranges) ?? []
      return {
        model: model === 'graduated' ? 'tiered' : 'volume',
        tiers: ranges.map((range) => ({ upTo: range.to_value, unitAmount: range.per_unit_amount, flatAmount: range.flat_amount })),
      }
    }
  }
}

/** Whole cents in the major unit. */
export function feeOf(cents: number): string {
  return formatAmount((parseAmount(String(cents)) ?? 0n) / 100n)
}

/** Whole cents of an amount that is rounded to them. */
export function centsOf(amount: string): number {
  return Number(((parseAmount(amount) ?? 0n) * 100n) / (parseAmount('1') ?? 1n))
}
