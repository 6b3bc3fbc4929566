import type { BillingInputsReader } from '../../adapters/database/billing-inputs/billing-inputs-reader.ts'
import type { FeatureStore } from '../../adapters/database/features/feature-store.ts'
import type { MeterReader } from '../../adapters/database/meters/meter-store.ts'
import { aggregateOfRow } from '../../adapters/usage-store/usage-store.ts'
import type { BillingInputs } from '../../domain/billing/billing-inputs.ts'
import type { Feature } from '../../domain/catalog/plan.ts'
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

export type Unbilled = { readonly feature: Feature; readonly quantityNano: bigint; readonly events: number }

/**
 * A customer's usage that no subscription bills, by feature: in time without a charge for it, and in time with charges, what passes the
 * filter of none. Features without any are not there. A meter that still counts its past is left out.
 */
export async function unbilledUsage(
  { inputs: reader, features, meters, usageReader }: UnbilledDeps,
  of: { readonly tenant: TenantKey; readonly customer: CustomerKey; readonly span: Period },
): Promise<readonly Unbilled[]> {
  const { tenant, customer, span } = of
  const inputs = await reader.read(tenant, [customer])
  const { data } = await features.list(tenant, { limit: FEATURES_MAX })
  const unbilled: Unbilled[] = []
  for (const feature of data) {
    const meter = feature.meter === null ? null : await meters.get(tenant, feature.meter)
    if (meter === null || !(await usageReader.isComplete(meter))) continue
    const stretches = stretchesOf(chargesOf(inputs, feature.key), span)
    const groupBy = [...new Set(stretches.flatMap(({ filters }) => filters.flatMap((filter) => Object.keys(filter))))]
    const shape = { meter, groupBy, filter: feature.filter }
    const rows = await usageReader.periods(
      shape,
      stretches.map(({ period }) => ({ customer, period })),
    )
    const total = stretches.reduce((left: Aggregate, { filters }, at) => {
      const open = (rows[at] ?? []).filter(({ dimensions }) => !filters.some((filter) => matchesFilter(filter, dimensions)))
      return open.map(aggregateOfRow).reduce(mergeAggregates, left)
    }, emptyAggregate)
    if (total.events > 0) unbilled.push({ feature, quantityNano: aggregateValue(meter.aggregation, total) ?? 0n, events: total.events })
  }
  return unbilled
}

/** Of one tenant; those after them are not looked at. */
const FEATURES_MAX = 1_000

type Charging = { readonly period: Period; readonly filter: DimensionFilter }

/** When which charges bill the feature. */
function chargesOf({ subscriptions, planVersions }: BillingInputs, feature: FeatureKey): readonly Charging[] {
  return [...subscriptions.values()].flatMap((subscription) =>
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
