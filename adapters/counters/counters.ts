import type { CounterState } from '../../domain/counter-state.ts'
import type { CustomerKey, FeatureKey, InstantMs, Offset, Partition, TenantKey } from '../../domain/identity.ts'

export type CustomerRef = { readonly tenant: TenantKey; readonly customer: CustomerKey; readonly partition: Partition }

/** Adds to a feature's counter, if it is still tracked under `definition`; else it is dropped, as the re-track will count it. */
export type CounterDelta = {
  readonly tenant: TenantKey
  readonly customer: CustomerKey
  readonly feature: FeatureKey
  readonly definition: string
  readonly periodStartMs: InstantMs
  readonly update: CounterState
}

/** A feature's counters as computed from the usage store: complete for all periods from `trackedFromMs` on; an absent period is zero. */
export type TrackedCounter = {
  readonly feature: FeatureKey
  readonly definition: string
  readonly trackedFromMs: InstantMs
  readonly periods: readonly { readonly startMs: InstantMs; readonly state: CounterState }[]
}

/** Nano units. `usedUnits` is `usedQuantity` of the period's state and 0 when nothing was counted; a set of unique values stays where it is. */
export type CounterReading = {
  readonly definition: string
  readonly trackedFromMs: InstantMs
  readonly usedUnits: bigint
  readonly heldUnits: bigint
}

/**
 * What a decision needs now. A view of the log: the deltas of records and the position they reach are one atomic
 * write, per partition. Errors are `Fault`s: `counters_unavailable` (canRetry).
 */
export type Counters = {
  /** Next offset not yet applied; 0 for a partition never seen. */
  position(partition: Partition): Promise<Offset>
  /** Applies the deltas of the records in [from, next) at once. Deltas are per record so that a part already applied is skipped. */
  apply(partition: Partition, records: readonly { readonly offset: Offset; readonly deltas: readonly CounterDelta[] }[]): Promise<void>
  /** Replaces what is tracked for one customer, as of the partition's position `at`: rejected as stale (false) when the position has moved on. Holds stay. */
  track(customer: CustomerRef, counters: readonly TrackedCounter[], at: Offset): Promise<boolean>
  /** What is tracked for a customer: feature to definition. */
  tracked(customer: CustomerRef): Promise<ReadonlyMap<FeatureKey, string>>
  /** One atomic reading per call. Undefined for a feature that is not tracked. */
  read(
    customer: CustomerRef,
    wanted: readonly { readonly feature: FeatureKey; readonly periodStartMs: InstantMs }[],
  ): Promise<readonly (CounterReading | undefined)[]>
  /** Asks whoever aggregates the partition to (re)compute this customer's counters. Resolves once the request is placed. */
  requestTracking(customer: CustomerRef): Promise<void>
  /** Requests of this partition placed and not yet taken; taken ones are gone. */
  takeTrackingRequests(partition: Partition): Promise<readonly CustomerRef[]>
  /** Called (soon) after a request was placed, by any process. */
  onTrackingRequest(listener: (partition: Partition) => void): void
  /** Every counter of a partition, for verify. */
  scan(partition: Partition): AsyncIterable<{ readonly customer: CustomerRef; readonly counters: readonly TrackedCounter[] }>
  /** Forgets everything of a partition and sets its position: the first step of a rebuild. */
  reset(partition: Partition, position: Offset): Promise<void>
  /** Resolves when all that was applied is durable. */
  flush(): Promise<void>
  ping(): Promise<void>
  stop(): Promise<void>
}
