import type { FeatureKey, MeterKey, PlanKey, ProductKey } from '../identity.ts'
import type { DimensionFilter } from '../metering/dimension-filter.ts'
import type { PlanInterval, ResetInterval } from '../time/intervals.ts'
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

/** What a decision answers that cannot be made, as the counters or the catalog cannot be trusted. */
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
  /** Config features: any JSON value. Boolean features: true unless it says false. */
  readonly value: unknown
}

/** Money is decimal strings in the plan's major unit, of no more digits than its currency. */
export type Charge = {
  readonly key: string
  readonly feature: FeatureKey
  readonly filter: DimensionFilter
  readonly price: Price
  /** What the charge comes to at least in a period, a part of one its share. Absent: nothing. */
  readonly minimum?: string
  /** What it comes to at most; with scaled tiers a part's share of it. Absent: no bound. */
  readonly maximum?: string
  /** Keys; absent: those of the customer, else of the tenant. */
  readonly taxRates?: readonly string[]
}

/** Before the period that it pays for, or after it. */
export type BaseFeeTiming = 'advance' | 'arrears'

/** What a part of a period costs: of the fee its exact share or all of it, of the charges' tables as printed or shrunk. */
export type Proration = { readonly baseFee: 'exact' | 'none'; readonly tiers: 'whole' | 'scaled' }
export const PRORATION_DEFAULT: Proration = { baseFee: 'exact', tiers: 'whole' }

/** What counts towards a minimum or a commitment. */
export type Counted = 'base' | 'usage'
export const COUNTED_DEFAULT: readonly Counted[] = ['base', 'usage']

export type PlanMinimum = { readonly amount: string; readonly counts?: readonly Counted[] }

/** A credit that each period begins with. `periodEnd` is the end of that very period. */
export type PlanCredit = { readonly amount: string; readonly priority?: number; readonly expires?: 'periodEnd' | 'never' }

export type PlanVersion = {
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
  /** A period whose usage comes to this much more than was billed of it is billed so far. Absent: at its end alone. */
  readonly thresholdAmount?: string
  /** Once per subscription and period. Absent: none. */
  readonly credits?: readonly PlanCredit[]
  readonly charges: readonly Charge[]
  readonly entitlements: readonly Entitlement[]
}
