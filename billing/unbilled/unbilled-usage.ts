import type { BillingInputsReader } from '../../adapters/database/billing-inputs/billing-inputs-reader.ts'
import type { FeatureStore } from '../../adapters/database/features/feature-store.ts'
import type { MeterReader } from '../../adapters/database/meters/meter-store.ts'
import { aggregateOfRow } from '../../adapters/usage-store/usage-store.ts'
import type { BillingInputs } from '../../domain/billing/billing-inputs.ts'
import type { Feature } from '../../domain/catalog/plan.ts'
import type { Subscription } from '../../domain/catalog/subscription.ts'
import { type CustomerKey, END_OF_TIME_MS, type FeatureKey, type InstantMs, type Period, type TenantKey } from '../../domain/identity.ts'
import type { DimensionFilter } from '../../domain/metering/dimension-filter.ts'
import { type Aggregate, aggregateValue, emptyAggregate, matchesFilter, mergeAggregates } from '../../domain/metering/metering.ts'
import type { UsageReader } from '../../usage/usage-reader.ts'
import { planOf } from '../steps/service-parts.ts'

export type UnbilledDeps = {
  readonly inputs: BillingInputsReader
  readonly features: Pick<FeatureStore, 'list'>
  readonly meters: MeterReader
  readonly usageReader: Pick<UsageReader, 'periods' | 'isComplete'>
}

export type Unbilled = { readonly customer: CustomerKey; readonly feature: Feature; readonly quantityNano: bigint; readonly events: number }

/**
 * Usage of some customers that no subscription bills, by customer and feature: in time without a charge for it, and in time with charges, what passes the
 * filter of none. Features without any are not there. A meter that still counts its past is left out.
 */
export async function unbilledUsage(
  { inputs: reader, features, meters, usageReader }: UnbilledDeps,
  of: { readonly tenant: TenantKey; readonly customers: readonly CustomerKey[]; readonly span: Period },
): Promise<readonly Unbilled[]> {
  const { tenant, customers, span } = of
  const inputs = await reader.read(tenant, customers)
  const subscriptionsOf = Map.groupBy(inputs.subscriptions.values(), ({ customer }) => customer)
  const { data } = await features.list(tenant, { limit: FEATURES_MAX })
  const unbilled = new Map(customers.map((customer) => [customer, [] as Unbilled[]]))
  for (const feature of data) {
    const meter = feature.meter === null ? null : await meters.get(tenant, feature.meter)
    if (meter === null || !(await usageReader.isComplete(meter))) continue
    const stretches = customers.flatMap((customer) => {
      const charging = chargesOf(subscriptionsOf.get(customer) ?? [], inputs, feature.key)
      return stretchesOf(charging, span).map((stretch) => ({ customer, ...stretch }))
    })
    const groupBy = [...new Set(stretches.flatMap(({ filters }) => filters.flatMap((filter) => Object.keys(filter))))]
    const rows = await usageReader.periods({ meter, groupBy, filter: feature.filter }, stretches)
    const totals = new Map<CustomerKey, Aggregate>()
    for (const [at, { customer, filters }] of stretches.entries()) {
      const open = (rows[at] ?? []).filter(({ dimensions }) => !filters.some((filter) => matchesFilter(filter, dimensions)))
      totals.set(customer, open.map(aggregateOfRow).reduce(mergeAggregates, totals.get(customer) ?? emptyAggregate))
    }
    for (const [customer, total] of totals) {
      const quantityNano = aggregateValue(meter.aggregation, total) ?? 0n
      if (total.events > 0) unbilled.get(customer)?.push({ customer, feature, quantityNano, events: total.events })
    }
  }
  return [...unbilled.values()].flat()
}

/** Of one tenant; those after them are not looked at. */
const FEATURES_MAX = 1_000

type Charging = { readonly period: Period; readonly filter: DimensionFilter }

/** When which charges bill the feature. */
function chargesOf(
  subscriptions: readonly Subscription[],
  { planVersions }: Pick<BillingInputs, 'planVersions'>,
  feature: FeatureKey,
): readonly Charging[] {
  return subscriptions.flatMap((subscription) =>
    subscription.phases.flatMap((phase) => {
      const lastMs = Math.min(phase.endMs ?? END_OF_TIME_MS, subscription.endMs ?? END_OF_TIME_MS) as InstantMs
      const { charges } = planOf({ subscription, planVersions }, phase)
      return charges
        .filter((charge) => charge.feature === feature && phase.startMs < lastMs)
        .map(({ filter }) => ({ period: { startMs: phase.startMs, endMs: lastMs }, filter }))
    }),
  )
}

/** The span cut where charges begin and end, each piece with the filters in force; a piece that a charge takes whole is left out. */
function stretchesOf(
  charging: readonly Charging[],
  span: Period,
): readonly { readonly period: Period; readonly filters: readonly DimensionFilter[] }[] {
  const inside = charging.flatMap(({ period }) => [period.startMs, period.endMs]).filter((atMs) => atMs > span.startMs && atMs < span.endMs)
  const cuts = [span.startMs, ...[...new Set(inside)].sort((a, b) => a - b), span.endMs]
  return cuts.slice(0, -1).flatMap((startMs, at) => {
    const period = { startMs, endMs: cuts[at + 1] ?? span.endMs }
    const filters = charging.filter((each) => each.period.startMs <= startMs && startMs < each.period.endMs).map(({ filter }) => filter)
    return filters.some((filter) => Object.keys(filter).length === 0) ? [] : [{ period, filters }]
  })
}
