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

export type Charge = { readonly key: string; readonly feature: FeatureKey; readonly filter: DimensionFilter; readonly price: Price }

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
  readonly charges: readonly Charge[]
  readonly entitlements: readonly Entitlement[]
}
