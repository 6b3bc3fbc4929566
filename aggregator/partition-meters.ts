import type { MeterActivation, UsageStore } from '../adapters/usage-store/usage-store.ts'
import type { MeterKey, Offset, Partition, TenantKey } from '../domain/identity.ts'
import type { Meter } from '../domain/meter.ts'
import type { MeterLookup } from './record-fold.ts'
import { createFoldMeter, type FoldMeter } from './window-fold.ts'

/** A meter revision whose events below `fromOffset` are yet to be counted. */
export type Unfilled = { readonly meter: Meter; readonly activation: MeterActivation }

/** The meters that one partition counts, and from where on: a revision counts live only once that is written down. */
export type PartitionMeters = MeterLookup & {
  /** Takes up new revisions at `next`, the first record not yet folded, and lets go of those that are no longer defined. */
  sync(definitions: readonly Meter[], next: Offset): Promise<void>
  unfilled(): readonly Unfilled[]
  /** Is the revision complete in this partition? */
  isComplete(meter: Meter): boolean
  filled(activation: MeterActivation): Promise<void>
}

export function createPartitionMeters(
  partition: Partition,
  activations: readonly MeterActivation[],
  write: ActivationWriter,
): PartitionMeters {
  const known = new Map(activations.map((activation) => [keyOf(activation), activation]))
  let current = new Map<string, Meter>()
  const foldMeters = new Map<string, FoldMeter>()
  let byTenant = new Map<TenantKey, Map<string, FoldMeter[]>>()
  let byName = new Map<string, FoldMeter>()
  let slots = 0

  function activationOf(meter: Meter): MeterActivation | undefined {
    return known.get(keyOf({ tenant: meter.tenant, revision: meter.revision }))
  }

  function rebuild(): void {
    byTenant = new Map()
    byName = new Map()
    for (const [key, meter] of current) {
      const activation = known.get(key)
      if (activation === undefined) continue
      let foldMeter = foldMeters.get(key)
      if (foldMeter === undefined) {
        foldMeter = createFoldMeter(meter, activation.fromOffset, slots++)
        foldMeters.set(key, foldMeter)
      }
      byName.set(nameOf(meter.tenant, meter.key), foldMeter)
      const byType = byTenant.get(meter.tenant) ?? new Map<string, FoldMeter[]>()
      byTenant.set(meter.tenant, byType.set(meter.eventType, [...(byType.get(meter.eventType) ?? []), foldMeter]))
    }
    for (const key of foldMeters.keys()) if (!current.has(key)) foldMeters.delete(key)
  }

  return {
    metersOf: (tenant, eventType) => byTenant.get(tenant)?.get(eventType) ?? NONE,
    meterNamed: (tenant, key) => byName.get(nameOf(tenant, key)),
    async sync(definitions, next) {
      const wanted = new Map(definitions.map((meter) => [keyOf(meter), meter]))
      const fresh = definitions
        .filter((meter) => activationOf(meter) === undefined)
        .map(({ tenant, key, revision }) => ({ tenant, meter: key, revision, partition, fromOffset: next, backfilled: next === 0 }))
      if (fresh.length > 0) await write(fresh)
      for (const activation of fresh) known.set(keyOf(activation), activation)
      current = wanted
      rebuild()
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

/** A new meter is taken up by all partitions at once: what comes while a write is under way goes into the next one together. */
export function createActivationWriter(usageStore: UsageStore): ActivationWriter {
  let waiting: MeterActivation[] = []
  let underWay: Promise<void> = Promise.resolve()
  let following: Promise<void> | null = null
  return (activations) => {
    waiting.push(...activations)
    following ??= underWay
      .catch(() => undefined)
      .then(() => {
        const batch = waiting
        waiting = []
        following = null
        underWay = usageStore.putActivations(batch)
        return underWay
      })
    return following
  }
}

const NONE: readonly FoldMeter[] = []

function nameOf(tenant: TenantKey, key: MeterKey): string {
  return `${key} ${tenant}`
}

function keyOf({ tenant, revision }: { readonly tenant: TenantKey; readonly revision: number }): string {
  return `${revision} ${tenant}`
}
