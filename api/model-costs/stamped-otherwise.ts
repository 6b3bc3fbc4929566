import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { TenantKey } from '../../domain/identity.ts'
import { MODEL_CALL_TYPE } from '../../domain/model-calls/model-call.ts'
import type { ModelCostRevision } from '../../domain/model-calls/model-cost-entry.ts'
import { createCostTable } from '../../rating/cost-table.ts'

/** Events of one tenant that a look at past calls reads at most: some two seconds. */
export const CALLS_READ_MAX = 200_000

/** How many events since a revision began carry another stamp than the table gives them now, of the model that it prices. */
export async function stampedOtherwise(
  usageStore: Pick<UsageStore, 'scanEvents'>,
  tenant: TenantKey,
  revision: ModelCostRevision,
  all: readonly ModelCostRevision[],
): Promise<number> {
  const table = createCostTable(all)
  const name = `${revision.provider}/${revision.model}@${revision.revision}`
  let read = 0
  let differing = 0
  for await (const events of usageStore.scanEvents({ tenant, types: [MODEL_CALL_TYPE], fromMs: revision.effectiveFromMs })) {
    for (const { data, occurredAtMs } of events) {
      const call = JSON.parse(data) as Readonly<Record<string, unknown>>
      const cost = table.cost(call, occurredAtMs)
      if ('cost_rates' in cost && cost.cost_rates === name && cost.cost_micros !== call.cost_micros) differing++
    }
    read += events.length
    if (read >= CALLS_READ_MAX) break
  }
  return differing
}
