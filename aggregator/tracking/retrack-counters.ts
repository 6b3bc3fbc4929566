import type { Counters, CustomerRef, TrackedCounter } from '../../adapters/counters/counters.ts'
import type { EntitlementInputsReader } from '../../adapters/database/entitlements/entitlement-inputs-reader.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import { trackedFeatures } from '../../domain/entitlements/entitlements.ts'
import type { Offset, Partition } from '../../domain/identity.ts'
import { computeCounters, type TrackingWork } from './compute-counters.ts'
import { entitlementInputsOf } from './entitlement-inputs-of.ts'

/**
 * Computes the counters of customers that have them only under old definitions, while nobody folds. Counters that have not read
 * as far as the usage store are left as they are: nobody reads them under old definitions, and the next request computes them.
 * Returns the number of customers.
 */
export async function retrackCounters(
  deps: {
    readonly usageStore: UsageStore
    readonly counters: Pick<Counters, 'position' | 'scan' | 'track' | 'flush'>
    readonly entitlementInputs: EntitlementInputsReader
    readonly clock: Clock
  },
  positions: ReadonlyMap<Partition, Offset>,
): Promise<number> {
  const { usageStore, counters, clock } = deps
  let tracked = 0
  for (const [partition, at] of positions) {
    if ((await counters.position(partition)) !== at) continue
    const complete = await completeRevisions(usageStore, partition)
    const customers: Customer[] = []
    for await (const customer of counters.scan(partition)) customers.push(customer)
    for (let from = 0; from < customers.length; from += CUSTOMERS_AT_ONCE_MAX) {
      const nowMs = clock.now()
      const work: TrackingWork[] = []
      const some = customers.slice(from, from + CUSTOMERS_AT_ONCE_MAX)
      const inputsOf = await entitlementInputsOf(
        deps.entitlementInputs,
        some.map(({ customer }) => customer),
      )
      for (const { customer, counters: found } of some) {
        const features = trackedFeatures(inputsOf(customer), nowMs)
        const current = new Set(features.map(nameOf))
        // All counters of a customer are replaced together. A customer with some that are still read gets the others on request.
        if (found.some((counter) => current.has(nameOf(counter)))) continue
        // As are features of a meter that is being backfilled.
        work.push({ customer, features: features.filter(({ meter }) => complete.has(`${meter.revision} ${meter.tenant}`)) })
      }
      const computed = await computeCounters(usageStore, work, at, nowMs)
      for (const { customer } of work) if (await counters.track(customer, computed.get(customer) ?? [], at)) tracked++
    }
  }
  await counters.flush()
  return tracked
}

type Customer = { readonly customer: CustomerRef; readonly counters: readonly TrackedCounter[] }

const CUSTOMERS_AT_ONCE_MAX = 500

async function completeRevisions(usageStore: UsageStore, partition: Partition): Promise<ReadonlySet<string>> {
  const activations = await usageStore.activations()
  const complete = activations.filter((each) => each.partition === partition && each.backfilled)
  return new Set(complete.map(({ tenant, revision }) => `${revision} ${tenant}`))
}

/** Two features may read the same usage: their definitions are equal. */
function nameOf({ feature, definition }: Pick<TrackedCounter, 'feature' | 'definition'>): string {
  return JSON.stringify([feature, definition])
}
