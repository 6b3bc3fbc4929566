import type { ClosedPartStore } from '../../adapters/database/closed-parts/closed-part-store.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { InstantMs, SubscriptionId, TenantKey } from '../../domain/identity.ts'
import { type DecidePageDeps, decidePage } from '../runs/decide-page.ts'
import { lateInputsReader } from '../runs/late-inputs.ts'

export type LateUsageDeps = Omit<DecidePageDeps, 'createInvoiceId'> & {
  readonly closedParts: Pick<ClosedPartStore, 'of' | 'having'>
  readonly usageStore: Pick<UsageStore, 'positions'>
}

const SUBSCRIPTIONS_MAX = 200_000
const SUBSCRIPTIONS_PER_PAGE = 500

/** Subscriptions with usage that came after the late window of its period, which a run with `lateFrom` would bill. */
export async function* lateUsage(deps: LateUsageDeps, tenant: TenantKey, nowMs: InstantMs): AsyncIterable<SubscriptionId> {
  const lateFromMs = 0 as InstantMs
  const cutOffs = await deps.usageStore.positions()
  const closed = await deps.closedParts.having(tenant, lateFromMs, { max: SUBSCRIPTIONS_MAX })
  const how = { ...deps, inputs: lateInputsReader(deps.inputs, deps.closedParts, lateFromMs), createInvoiceId: () => 'none' }
  for (let at = 0; at < closed.length; at += SUBSCRIPTIONS_PER_PAGE) {
    const due = closed.slice(at, at + SUBSCRIPTIONS_PER_PAGE)
    const { lives } = await decidePage(how, { tenant, due, cutOffs, nowMs, lateFromMs })
    yield* lives.map(({ subscription }) => subscription)
  }
}
