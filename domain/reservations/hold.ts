import type { CustomerKey, FeatureKey, InstantMs, Partition, TenantKey } from '../identity.ts'

/** Units of a feature kept back for one customer: a reservation as the counters keep it. Quantities in nano units. */
export type Hold = {
  readonly id: string
  readonly tenant: TenantKey
  readonly customer: CustomerKey
  readonly partition: Partition
  readonly feature: FeatureKey
  readonly quantity: bigint
  readonly createdAtMs: InstantMs
  /** From this instant on a hold that is `held` is `expired`. */
  readonly expiresAtMs: InstantMs
  readonly state: HoldState
}

/** `settling`: the usage event is not applied yet, so the settled quantity still counts as held; `settled`: it counts as used. */
export type HoldState =
  | { readonly kind: 'held' | 'released' | 'expired' }
  | { readonly kind: 'settling' | 'settled'; readonly settlement: Settlement }

export type Settlement = {
  /** The quantity that the caller asked to settle, and below it the part that the limit allowed. */
  readonly requestedUnits: bigint
  readonly settledUnits: bigint
  /** Event time: decides the period that the usage counts in. */
  readonly occurredAtMs: InstantMs
  /** The rest of the usage events, so that they can be made again; the counters do not look inside. Empty once settled. */
  readonly report: string
  /** Tells the events that were settled from others; null where a quantity was. */
  readonly eventsHash: string | null
}
