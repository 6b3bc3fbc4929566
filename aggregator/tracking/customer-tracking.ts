import type { Logger } from 'pino'
import type { Counters, CustomerRef, TrackedCounter } from '../../adapters/counters/counters.ts'
import type { EntitlementInputsReader } from '../../adapters/database/entitlements/entitlement-inputs-reader.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import { trackedFeatures } from '../../domain/entitlements/entitlements.ts'
import type { TrackedFeature } from '../../domain/entitlements/tracked-feature.ts'
import type { InstantMs, Offset } from '../../domain/identity.ts'
import type { AggregatorMetrics } from '../aggregator-metrics.ts'
import { createFeatureCounter } from '../fold/counter-fold.ts'
import type { FoldState } from '../fold/record-fold.ts'
import type { PartitionMeters } from '../meters/partition-meters.ts'
import type { Flusher } from '../partition/flusher.ts'
import { computeCounters, type TrackingWork } from './compute-counters.ts'
import { entitlementInputsOf } from './entitlement-inputs-of.ts'
import type { PartitionCustomers } from './partition-customers.ts'

/** Customers of one partition whose counters are to be computed anew. */
export type CustomerTracking = {
  want(customers: readonly CustomerRef[]): void
  isWanted(): boolean
  /** Computes the counters of customers wanted here and of those that the api requested. Called between records only. */
  serve(): Promise<void>
  /** Customers that waited for a meter are wanted again. */
  meterCompleted(): void
}

export type TrackingDeps = {
  readonly usageStore: UsageStore
  readonly counters: Counters
  readonly entitlementInputs: EntitlementInputsReader
  readonly flusher: Flusher
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: AggregatorMetrics
  readonly signal: AbortSignal
}

/**
 * `trackableFrom`: below it the store may hold windows of an earlier life that reach beyond what is folded now. Usage as of the
 * fold leaves these out too: one of the two would do.
 */
export function createCustomerTracking(
  deps: TrackingDeps,
  fold: {
    readonly state: FoldState
    readonly meters: PartitionMeters
    readonly customers: PartitionCustomers
    readonly trackableFrom: Offset
  },
): CustomerTracking {
  const { usageStore, counters, entitlementInputs, flusher, clock, log, metrics, signal } = deps
  const { state, meters, customers, trackableFrom } = fold
  const { partition } = state
  /** By tenant and customer. */
  const wanted = new Map<string, CustomerRef>()
  /** Customers tracked except for features whose meter is not complete yet. */
  const awaitingMeters = new Map<string, CustomerRef>()
  let notBeforeMs = 0

  async function serveSome(nowMs: InstantMs): Promise<void> {
    const some = [...wanted.values()].slice(0, CUSTOMERS_AT_ONCE_MAX)
    // Removed first: a customer that is wanted again meanwhile, as a meter has become complete, is served again.
    for (const customer of some) wanted.delete(keyOf(customer))
    try {
      await track(some, nowMs)
    } catch (error) {
      for (const customer of some) wanted.set(keyOf(customer), customer)
      throw error
    }
  }

  async function track(some: readonly CustomerRef[], nowMs: InstantMs): Promise<void> {
    const work: TrackingWork[] = []
    const resolved = await resolve(some, nowMs)
    for (const customer of some) {
      const features = resolved.get(customer) ?? []
      const complete = features.filter(({ meter }) => meters.isComplete(meter))
      if (complete.length < features.length) awaitingMeters.set(keyOf(customer), customer)
      work.push({ customer, features: complete })
    }
    await flusher.flush()
    const computed = await computeCounters(usageStore, work, state.next, nowMs)
    for (const { customer, features } of work) {
      const tracked = computed.get(customer) ?? []
      // The new owner of the partition would not know that it must follow this customer.
      signal.throwIfAborted()
      if (await trackOne(customer, tracked)) {
        customers.follow(
          customer,
          features.map((feature, index) => createFeatureCounter(feature, tracked[index]?.trackedFromMs ?? nowMs)),
        )
      } else log.warn({ partition, next: state.next }, 'counters have moved on: another process folds this partition')
    }
    metrics.tracked(work.length)
  }

  /** Without an answer it may have happened: what is tracked is read again before the customer's next event is folded. */
  async function trackOne(customer: CustomerRef, tracked: readonly TrackedCounter[]): Promise<boolean> {
    try {
      return await counters.track(customer, tracked, state.next)
    } catch (error) {
      customers.loadAgain(customer)
      throw error
    }
  }

  /** A customer whose entitlements cannot be resolved is tracked in nothing, so that it does not keep all others waiting. */
  async function resolve(some: readonly CustomerRef[], nowMs: InstantMs): Promise<ReadonlyMap<CustomerRef, readonly TrackedFeature[]>> {
    try {
      const inputsOf = await entitlementInputsOf(entitlementInputs, some)
      return new Map(some.map((customer) => [customer, trackedFeatures(inputsOf(customer), nowMs)]))
    } catch (error) {
      if (error instanceof Fault && error.canRetry) throw error
      const [first] = some
      if (some.length > 1)
        return new Map((await Promise.all(some.map((customer) => resolve([customer], nowMs)))).flatMap((each) => [...each]))
      log.error({ err: error, partition, customer: first?.customer }, 'entitlements of a customer could not be resolved')
      return new Map()
    }
  }

  return {
    want(refs) {
      for (const ref of refs) wanted.set(keyOf(ref), ref)
    },
    isWanted: () => wanted.size > 0,
    async serve() {
      const nowMs = clock.now()
      if (state.next < trackableFrom || state.next < state.countersNext || nowMs < notBeforeMs) return
      try {
        for (const ref of await counters.takeTrackingRequests(partition)) wanted.set(keyOf(ref), ref)
        while (wanted.size > 0) await serveSome(nowMs)
      } catch (error) {
        if (signal.aborted) throw error
        notBeforeMs = nowMs + RETRY_MS
        metrics.failed('track counters')
        log.warn({ err: error, partition, customers: wanted.size }, 'counters could not be computed and are tried again')
      }
    },
    meterCompleted() {
      for (const [key, ref] of awaitingMeters) wanted.set(key, ref)
      awaitingMeters.clear()
    },
  }
}

const CUSTOMERS_AT_ONCE_MAX = 500
const RETRY_MS = 1000

function keyOf({ tenant, customer }: CustomerRef): string {
  return JSON.stringify([tenant, customer])
}
