import type { FeatureKey, MeterKey, PlanKey, ProductKey } from '../identity.ts'
import type { DimensionFilter } from '../metering/dimension-filter.ts'
import type { PlanInterval, ResetInterval } from '../time/intervals.ts'
import type { PlanSelling } from './plan-selling.ts'
import type { Price } from './price.ts'

export type FeatureType = 'metered' | 'boolean' | 'config'

export type Feature = {
  readonly key: FeatureKey
  readonly name: string
  readonly type: FeatureType
  readonly meter: MeterKey | null
  readonly filter: DimensionFilter
  readonly unit: string | null
}

export type LimitType = 'hard' | 'soft'
export type EntitlementAnchor = 'subscription' | 'calendar'

/** The answer when counters or catalog cannot be trusted and no decision can be made. */
export type OnUncertain = 'deny' | 'allow'

export type Entitlement = {
  readonly feature: FeatureKey
  /** Decimal string; null is unlimited. Metered features only. */
  readonly limit: string | null
  readonly limitType: LimitType
  readonly reset: ResetInterval
  readonly anchor: EntitlementAnchor
  readonly rollover: { readonly percent: string; readonly max: string | null } | null
  /** Absent: deny with a hard limit, allow with a soft one and for features that are not metered. */
  readonly onUncertain?: OnUncertain
  /** The limit is that of one unit of the quantity that was bought. */
  readonly perUnit?: boolean
  /** Config features: any JSON value. Boolean features: true unless it says false. */
  readonly value: unknown
}

/** Amounts are decimal strings in the plan's major unit, with at most the currency's digits. */
export type Charge = {
  readonly key: string
  readonly feature: FeatureKey
  readonly filter: DimensionFilter
  readonly price: Price
  /** The least that the charge comes to in a period; in a part of a period, its share. Absent: no minimum. */
  readonly minimum?: string
  /** The most that it comes to; with scaled tiers a part of a period has its share. Absent: no bound. */
  readonly maximum?: string
  /** Keys; absent: the rates of the customer, else of the tenant. */
  readonly taxRates?: readonly string[]
}

/** Billed before the period that it pays for, or after it. */
export type BaseFeeTiming = 'advance' | 'arrears'

/** The price of a part of a period: its exact share of the fee or all of it; the charges' tables as printed or scaled down. */
export type Proration = { readonly baseFee: 'exact' | 'none'; readonly tiers: 'whole' | 'scaled' }
export const PRORATION_DEFAULT: Proration = { baseFee: 'exact', tiers: 'whole' }

/** The lines that count towards a minimum or a commitment. */
export type Counted = 'base' | 'usage'
export const COUNTED_DEFAULT: readonly Counted[] = ['base', 'usage']

export type PlanMinimum = { readonly amount: string; readonly counts?: readonly Counted[] }

/** A credit that is granted at the start of each period. `periodEnd` is the end of that period. */
export type PlanCredit = { readonly amount: string; readonly priority?: number; readonly expires?: 'periodEnd' | 'never' }

export type PlanVersion = PlanSelling & {
  readonly plan: PlanKey
  /** 1 for the first; a change of the plan makes the next. */
  readonly version: number
  readonly product: ProductKey
  readonly name: string
  readonly currency: string
  readonly interval: PlanInterval
  /** Decimal string in major units. */
  readonly baseFee: string | null
  /** Absent: in advance. */
  readonly baseFeeTiming?: BaseFeeTiming
  /** Absent: `PRORATION_DEFAULT`. */
  readonly proration?: Proration
  /** Absent: none. */
  readonly minimum?: PlanMinimum
  /** A period is billed in between when its unbilled usage exceeds this amount. Absent: billed at its end alone. */
  readonly thresholdAmount?: string
  /** Granted once per subscription and period. Absent: none. */
  readonly credits?: readonly PlanCredit[]
  readonly charges: readonly Charge[]
  readonly entitlements: readonly Entitlement[]
}
