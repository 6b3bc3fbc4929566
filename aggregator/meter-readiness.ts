import type { UsageStore } from '../adapters/usage-store/usage-store.ts'
import type { MeterKey, TenantKey } from '../domain/identity.ts'

/** Whether a meter revision answers for every event, those from before it was made included: complete in all partitions. */
export type MeterReadiness = (tenant: TenantKey, meter: MeterKey, revision: number) => Promise<boolean>

/** Asks the usage store until the answer is yes, which it then stays. Needs no aggregator in this process. */
export function createMeterReadiness(usageStore: Pick<UsageStore, 'activations'>, partitions: number): MeterReadiness {
  const ready = new Set<string>()
  return async (tenant, meter, revision) => {
    const key = JSON.stringify([tenant, meter, revision])
    if (ready.has(key)) return true
    const complete = new Set<number>()
    for (const activation of await usageStore.activations()) {
      const isOfMeter = activation.tenant === tenant && activation.meter === meter && activation.revision === revision
      if (isOfMeter && activation.backfilled) complete.add(activation.partition)
    }
    if (complete.size < partitions) return false
    if (ready.size >= READY_MAX) ready.clear()
    ready.add(key)
    return true
  }
}

const READY_MAX = 10_000
