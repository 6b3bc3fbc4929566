import type { MeterActivation, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { createGatherer } from '../../base/gatherer.ts'
import type { Offset, Partition, TenantKey } from '../../domain/identity.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { type Counting, createEventPlans, LIVE_TO_OFFSET, type MeterGroups, type MeterLookup } from '../fold/event-plans.ts'

/** A meter revision whose events below `fromOffset` are not counted yet. */
export type Unfilled = { readonly meter: Meter; readonly activation: MeterActivation }

/** The meters that one partition counts, and from which offset: a revision counts live only once its activation is stored. */
export type PartitionMeters = MeterLookup &
  MeterGroups & {
    /** Activates new revisions at `next`, the first record not yet folded, and drops those that are no longer defined. */
    sync(definitions: readonly Meter[], next: Offset): Promise<void>
    unfilled(): readonly Unfilled[]
    /** Is the revision complete in this partition? */
    isComplete(meter: Meter): boolean
    filled(activation: MeterActivation): Promise<void>
  }

/**
 * `activatableFrom`: the log's end when the partition was taken over, unless it had no owner before. Below it an earlier life, or
 * a process that does not know yet that it lost the partition, may move the store's position beyond what is folded here: a
 * restart would go on from there, and no revision may start counting live before that position.
 */
export function createPartitionMeters(
  partition: Partition,
  activations: readonly MeterActivation[],
  { activatableFrom, write }: { readonly activatableFrom: Offset; readonly write: ActivationWriter },
): PartitionMeters {
  const known = new Map(activations.map((activation) => [keyOf(activation), activation]))
  let current = new Map<string, Meter>()
  const plans = createEventPlans()

  function activationOf(meter: Meter): MeterActivation | undefined {
    return known.get(keyOf({ tenant: meter.tenant, revision: meter.revision }))
  }

  /** Each revision counts from its activation on. */
  function countCurrent(): void {
    const countings: Counting[] = []
    for (const [key, meter] of current) {
      const activation = known.get(key)
      if (activation !== undefined) countings.push({ meter, fromOffset: activation.fromOffset, toOffset: LIVE_TO_OFFSET })
    }
    plans.count(countings)
  }

  return {
    planOf: plans.planOf,
    meterNamed: plans.meterNamed,
    groups: plans.groups,
    async sync(definitions, next) {
      const wanted = new Map(definitions.map((meter) => [keyOf(meter), meter]))
      const fromOffset = Math.max(next, activatableFrom) as Offset
      const fresh = definitions
        .filter((meter) => activationOf(meter) === undefined)
        .map(({ tenant, key, revision }) => ({ tenant, meter: key, revision, partition, fromOffset, backfilled: fromOffset === 0 }))
      if (fresh.length > 0) await write(fresh)
      for (const activation of fresh) known.set(keyOf(activation), activation)
      current = wanted
      countCurrent()
    },
    unfilled() {
      return [...current.values()].flatMap((meter) => {
        const activation = activationOf(meter)
        return activation === undefined || activation.backfilled ? [] : [{ meter, activation }]
      })
    },
    isComplete: (meter) => current.has(keyOf(meter)) && activationOf(meter)?.backfilled === true,
    async filled(activation) {
      const filled = { ...activation, backfilled: true }
      await write([filled])
      known.set(keyOf(filled), filled)
    },
  }
}

export type ActivationWriter = (activations: readonly MeterActivation[]) => Promise<void>

/** All partitions activate a new meter at once: activations that come while a write is under way go into the next write together. */
export function createActivationWriter(usageStore: UsageStore): ActivationWriter {
  let waiting: MeterActivation[] = []
  const writes = createGatherer(() => {
    const batch = waiting
    waiting = []
    return usageStore.putActivations(batch)
  })
  return (activations) => {
    waiting.push(...activations)
    return writes.run()
  }
}

function keyOf({ tenant, revision }: { readonly tenant: TenantKey; readonly revision: number }): string {
  return `${revision} ${tenant}`
}
