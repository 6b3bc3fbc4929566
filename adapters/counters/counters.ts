import type { MaybePromise } from '../../base/maybe-promise.ts'
import type { CustomerKey, FeatureKey, InstantMs, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import type { CounterState } from '../../domain/metering/counter-state.ts'
import type { Hold } from '../../domain/reservations/hold.ts'

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
  /** When more have begun the oldest go, and it is complete from the next on; `PERIODS_KEPT` when absent. */
  readonly periodsKept?: number
}

/** Two periods are enough where the one under way says all: that one and, for clocks that differ a little, the one before. */
export const PERIODS_KEPT = 2

/** Nano units. `usedUnits` is `usedQuantity` of the period's state and 0 when nothing was counted; a set of unique values stays where it is. */
export type CounterReading = {
  readonly definition: string
  readonly trackedFromMs: InstantMs
  readonly usedUnits: bigint
  /** Of every hold that is `held`, whatever period it was made in, and of those `settling` into this period or a later one. */
  readonly heldUnits: bigint
}

/** A counter as the caller expects it, and the limit that used + held may reach; null for none. */
export type Cap = {
  readonly definition: string
  readonly periodStartMs: InstantMs
  readonly hardLimit: bigint | null
  /**
   * Usage of earlier periods that the limit was worked out from, in their order. Where that is no longer so, the limit is not
   * either, and the outcome is `untracked`. What settles into one of them counts as held.
   */
  readonly earlier?: readonly { readonly periodStartMs: InstantMs; readonly usedUnits: bigint }[]
}

export type HoldRequest = Pick<Hold, 'id' | 'feature' | 'quantity' | 'expiresAtMs'> & { readonly cap: Cap }

/** Used and held are as of the same moment; the new hold is in them. */
export type ReserveOutcome =
  | { readonly status: 'held' | 'refused'; readonly hold: Hold; readonly usedUnits: bigint; readonly heldUnits: bigint }
  /** A hold of this tenant has the id already: it is given as it stands. */
  | { readonly status: 'exists'; readonly hold: Hold }
  /** The counter is not tracked under this definition and for this period, or `earlier` has changed: read it and try again. */
  | { readonly status: 'untracked' }

export type SettleRequest = {
  readonly quantity: bigint
  readonly occurredAtMs: InstantMs
  readonly report: string
  /** What may be settled beyond the quantity held: anything, what the cap leaves, or nothing. */
  readonly beyond: 'any' | 'none' | Cap
}

/** The hold as it stands afterwards; what the state says decides whether this call changed it. `untracked` changed nothing. */
export type HoldOutcome = { readonly status: 'done'; readonly hold: Hold } | { readonly status: 'unknown' | 'untracked' }

/** Names a hold whose usage event is in a record. */
export type SettledHold = { readonly tenant: TenantKey; readonly customer: CustomerKey; readonly id: string }

export type AppliedRecord = {
  readonly offset: Offset
  readonly deltas: readonly CounterDelta[]
  /** Holds that end with this record, in the same atomic step; also when none of its deltas count. */
  readonly settles?: readonly SettledHold[]
}

/** For how long after it ended (or would have expired) a hold is remembered, so that a repeat is answered as before. */
export const HOLD_MEMORY_MS = 24 * 3_600_000

/**
 * What a decision needs now. A view of the log: the deltas of records and the position they reach are one atomic
 * write, per partition. Errors are `Fault`s: `counters_unavailable` (canRetry), and `counters_rebuilding` (canRetry) while a
 * partition may have lost something and was neither confirmed nor reset since.
 */
export type Counters = {
  /** Next offset not yet applied; 0 for a partition never seen. */
  position(partition: Partition): Promise<Offset>
  /**
   * Asked by whoever aggregates the partition: once with null when it takes it over, and with the position that it brought it to
   * after `counters_rebuilding`. False when what was applied may be lost, as the store was restarted, emptied or put back:
   * a `reset` must follow.
   */
  confirm(partition: Partition, at: Offset | null): Promise<boolean>
  /** Applies the deltas of the records in [from, next) at once. Deltas are per record so that a part already applied is skipped. */
  apply(partition: Partition, records: readonly AppliedRecord[]): Promise<void>
  /** Replaces what is tracked for one customer, as of the partition's position `at`: rejected as stale (false) when the position has moved on. Holds stay. */
  track(customer: CustomerRef, counters: readonly TrackedCounter[], at: Offset): Promise<boolean>
  /** What is tracked for a customer: feature to definition. */
  tracked(customer: CustomerRef): Promise<ReadonlyMap<FeatureKey, string>>
  /** One atomic reading per call, with what is held at `nowMs`. Undefined for a feature that is not tracked. May throw where others reject. */
  read(
    customer: CustomerRef,
    wanted: readonly { readonly feature: FeatureKey; readonly periodStartMs: InstantMs }[],
    nowMs: InstantMs,
  ): MaybePromise<readonly (CounterReading | undefined)[]>
  /** Holds the quantity if used + held + quantity stays within the cap. Like every change of a hold: one atomic step, durable once resolved. */
  reserve(customer: CustomerRef, request: HoldRequest, nowMs: InstantMs): Promise<ReserveOutcome>
  /** Null when there was none, or it ended longer ago than `HOLD_MEMORY_MS`. */
  hold(tenant: TenantKey, id: string, nowMs: InstantMs): Promise<Hold | null>
  /** `held` or `expired` -> `settling`, or `settled` when nothing of the quantity is let through. Any other state stays. */
  settleHold(customer: CustomerRef, id: string, request: SettleRequest, nowMs: InstantMs): Promise<HoldOutcome>
  /** `held` or `expired` -> `released`. Any other state stays. */
  releaseHold(customer: CustomerRef, id: string, nowMs: InstantMs): Promise<HoldOutcome>
  /** A hold that is `held` expires at `expiresAtMs`, if that is later. Any other state stays. */
  extendHold(customer: CustomerRef, id: string, expiresAtMs: InstantMs, nowMs: InstantMs): Promise<HoldOutcome>
  /** Holds whose usage event has not been applied, by id, in arrays of bounded size. */
  settlingHolds(partition: Partition): AsyncIterable<readonly Hold[]>
  /** Asks whoever aggregates the partition to (re)compute this customer's counters. Resolves once the request is placed. */
  requestTracking(customer: CustomerRef): Promise<void>
  /** Requests of this partition placed and not yet taken; taken ones are gone. */
  takeTrackingRequests(partition: Partition): Promise<readonly CustomerRef[]>
  /** Called (soon) after a request was placed, by any process. */
  onTrackingRequest(listener: (partition: Partition) => void): void
  /** Every counter of a partition, for verify. */
  scan(partition: Partition): AsyncIterable<{ readonly customer: CustomerRef; readonly counters: readonly TrackedCounter[] }>
  /** Forgets all that was counted in a partition and sets its position: the first step of a rebuild. Holds stay: the log does not have them. */
  reset(partition: Partition, position: Offset): Promise<void>
  /** Resolves when all that was applied is durable. */
  flush(): Promise<void>
  ping(): Promise<void>
  stop(): Promise<void>
}
