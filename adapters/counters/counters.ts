import type { MaybePromise } from '../../base/maybe-promise.ts'
import type { CustomerKey, FeatureKey, InstantMs, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import type { CounterState } from '../../domain/metering/counter-state.ts'
import type { Hold } from '../../domain/reservations/hold.ts'

export type CustomerRef = { readonly tenant: TenantKey; readonly customer: CustomerKey; readonly partition: Partition }

/** Adds to a feature's counter while it is tracked under `definition`; otherwise the delta is dropped, as the re-track counts it. */
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
  /** When more periods than this have begun the oldest are dropped, and the counter is complete from the next one on; `PERIODS_KEPT` when absent. */
  readonly periodsKept?: number
}

/** Where the current period decides alone, two are enough: that one and, as clocks differ a little, the one before. */
export const PERIODS_KEPT = 2

/** Nano units. `usedUnits` is `usedQuantity` of the period's state and 0 when nothing was counted; sets of unique values are not copied. */
export type CounterReading = {
  readonly definition: string
  readonly trackedFromMs: InstantMs
  readonly usedUnits: bigint
  /** The sum of every hold that is `held`, whatever period it was made in, and of those `settling` into this period or a later one. */
  readonly heldUnits: bigint
}

/** A counter as the caller expects it, and the limit that used + held may reach; null for none. */
export type Cap = {
  readonly definition: string
  readonly periodStartMs: InstantMs
  readonly hardLimit: bigint | null
  /**
   * Usage of earlier periods that the limit was worked out from, in their order. When one of them has changed, the limit no
   * longer holds and the outcome is `untracked`. Units that settle into one of them count as held.
   */
  readonly earlier?: readonly { readonly periodStartMs: InstantMs; readonly usedUnits: bigint }[]
}

export type HoldRequest = Pick<Hold, 'id' | 'feature' | 'quantity' | 'expiresAtMs'> & {
  readonly cap: Cap
  /** Present: the hold begins as `settling`, used now: with its whole quantity, or with as much of it as the cap leaves. */
  readonly settles?: Pick<SettleRequest, 'report'> & { readonly takes: 'all' | 'what_fits' }
}

/** Used and held units are as of the same moment; the new hold is included. What fits is never nothing: that is refused. */
export type ReserveOutcome =
  | { readonly status: 'held' | 'refused'; readonly hold: Hold; readonly usedUnits: bigint; readonly heldUnits: bigint }
  /** A hold of this tenant has the id already; it is answered as it stands. */
  | { readonly status: 'exists'; readonly hold: Hold }
  /** The counter is not tracked under this definition and for this period, or `earlier` has changed: read it and try again. */
  | { readonly status: 'untracked' }
  /** Too many holds are under way: of the tenant (`of: 'tenant'`), or of all tenants together. Nothing is held. */
  | { readonly status: 'too_many'; readonly of: 'tenant' | 'process'; readonly holdsMax: number }

export type SettleRequest = {
  readonly quantity: bigint
  readonly occurredAtMs: InstantMs
  readonly report: string
  /** As `Settlement.eventsHash`. Events count for other features too, so they are reported also when they are no units of this one. */
  readonly eventsHash: string | null
  /** What may be settled beyond the held quantity: anything, as much as the cap leaves, or nothing. */
  readonly beyond: 'any' | 'none' | Cap
}

/** The hold as it stands afterwards; its state says whether this call changed it. `untracked` changed nothing. */
export type HoldOutcome = { readonly status: 'done'; readonly hold: Hold } | { readonly status: 'unknown' | 'untracked' }

/** Names a hold whose usage event is in a record. */
export type SettledHold = { readonly tenant: TenantKey; readonly customer: CustomerKey; readonly id: string }

export type AppliedRecord = {
  readonly offset: Offset
  readonly deltas: readonly CounterDelta[]
  /** Holds that end with this record, in the same atomic step; also when none of its deltas count. */
  readonly settles?: readonly SettledHold[]
}

/** How long a hold is remembered after it ended (or would have expired), so that a repeat gets the same answer. */
export const HOLD_MEMORY_MS = 24 * 3_600_000

/**
 * The state that decisions need. A view of the log: the deltas of records and the position they reach are one atomic write, per
 * partition. Errors are `Fault`s that can be tried again: `counters_unavailable`, `too_many_first_balances`, and
 * `counters_rebuilding` while a partition may have lost deltas and was neither confirmed nor reset since.
 */
export type Counters = {
  /** Next offset not yet applied; 0 for a partition never seen. */
  position(partition: Partition): Promise<Offset>
  /**
   * To be asked by the aggregator of the partition: once with null when it takes the partition over, and after
   * `counters_rebuilding` with the position that it has reached. False when applied deltas may be lost, as the store was
   * restarted, emptied or restored: a `reset` must follow.
   */
  confirm(partition: Partition, at: Offset | null): Promise<boolean>
  /** Applies the deltas of the records in [from, next) at once. Deltas are per record so that a part already applied is skipped. */
  apply(partition: Partition, records: readonly AppliedRecord[]): Promise<void>
  /** Replaces the counters of one customer, as of the partition's position `at`; false when the position has moved on. Holds stay. */
  track(customer: CustomerRef, counters: readonly TrackedCounter[], at: Offset): Promise<boolean>
  /** The tracked features of a customer, with their definitions. */
  tracked(customer: CustomerRef): Promise<ReadonlyMap<FeatureKey, string>>
  /** One atomic reading per call, with the units held at `nowMs`. Undefined for a feature that is not tracked. May throw where others reject. */
  read(
    customer: CustomerRef,
    wanted: readonly { readonly feature: FeatureKey; readonly periodStartMs: InstantMs }[],
    nowMs: InstantMs,
  ): MaybePromise<readonly (CounterReading | undefined)[]>
  /** Holds the quantity if used + held + quantity stays within the cap. Like every change of a hold: one atomic step, durable once resolved. */
  reserve(customer: CustomerRef, request: HoldRequest, nowMs: InstantMs): Promise<ReserveOutcome>
  /** Null when there was none, or when it ended longer ago than `HOLD_MEMORY_MS`. */
  hold(tenant: TenantKey, id: string, nowMs: InstantMs): Promise<Hold | null>
  /** `held` or `expired` -> `settling`, or `settled` when no quantity is settled. Any other state stays. */
  settleHold(customer: CustomerRef, id: string, request: SettleRequest, nowMs: InstantMs): Promise<HoldOutcome>
  /** `held` or `expired` -> `released`. Any other state stays. */
  releaseHold(customer: CustomerRef, id: string, nowMs: InstantMs): Promise<HoldOutcome>
  /** A `held` hold expires at `expiresAtMs`, if that is later. Any other state stays. */
  extendHold(customer: CustomerRef, id: string, expiresAtMs: InstantMs, nowMs: InstantMs): Promise<HoldOutcome>
  /** Holds whose usage event has not been applied, by id, in arrays of bounded size. */
  settlingHolds(partition: Partition): AsyncIterable<readonly Hold[]>
  /** Asks the aggregator of the partition to (re)compute this customer's counters. Resolves once the request is placed. */
  requestTracking(customer: CustomerRef): Promise<void>
  /** Takes the requests of this partition: each is answered once. */
  takeTrackingRequests(partition: Partition): Promise<readonly CustomerRef[]>
  /** Calls the listener soon after a request was placed, by any process. */
  onTrackingRequest(listener: (partition: Partition) => void): void
  /** Every counter of a partition, for verify. */
  scan(partition: Partition): AsyncIterable<{ readonly customer: CustomerRef; readonly counters: readonly TrackedCounter[] }>
  /** Forgets all counts of a partition and sets its position: the first step of a rebuild. Holds stay, as the log does not have them. */
  reset(partition: Partition, position: Offset): Promise<void>
  /** Resolves when every applied delta is durable. */
  flush(): Promise<void>
  /**
   * Copies the whole store into a directory, as of one moment and while it goes on; a store can be opened there. Absent where a
   * server keeps the data.
   */
  snapshot?(directory: string): Promise<void>
  ping(): Promise<void>
  stop(): Promise<void>
}
