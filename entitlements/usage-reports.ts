import type { MeterReader } from '../adapters/database/meters/meter-store.ts'
import { invariant } from '../base/invariant.ts'
import { formatQuantity } from '../domain/decimal.ts'
import type { MeteredEntitlement } from '../domain/entitlements/entitlements.ts'
import type { CustomerKey, FeatureKey, InstantMs, Period, TenantKey } from '../domain/identity.ts'
import type { DimensionFilter } from '../domain/metering/dimension-filter.ts'
import { isAdditive, type Meter } from '../domain/metering/meter.ts'
import type { UsageEvent } from '../domain/metering/usage-event.ts'
import {
  dimensionsWithin,
  USAGE_REPORT_SOURCE,
  USAGE_REPORT_TYPE,
  type UsageReport,
  usageReportEventId,
} from '../domain/metering/usage-report.ts'
import { isRefusal, type Outcome, refuse } from '../domain/refusal.ts'
import type { BalanceReader } from './balance-reader.ts'
import type { EntitlementCache } from './entitlement-cache.ts'
import type { ReportUsage } from './settlement-writer.ts'

/** A direct usage report for a metered feature, checked for its shape. */
export type ReportedQuantity = {
  readonly customer: CustomerKey
  readonly feature: FeatureKey
  /** Nano units. */
  readonly quantity: bigint
  readonly behaviour: 'delta' | 'set'
  /** Unique per customer of the tenant: a repeat counts once. */
  readonly id: string
  readonly occurredAtMs: InstantMs
  /** What the dimensions of the meter read. */
  readonly properties: object | null
}

export type Reported = { readonly event: UsageEvent; readonly period: Period | null }

export type UsageReports = {
  /** Resolves when the report is durable in the log. */
  report(tenant: TenantKey, reported: ReportedQuantity): Promise<Outcome<Reported>>
}

export function createUsageReports(deps: {
  readonly entitlements: EntitlementCache
  readonly meters: MeterReader
  readonly balances: Pick<BalanceReader, 'periodAt'>
  readonly reportUsage: ReportUsage
}): UsageReports {
  const { entitlements, meters, balances, reportUsage } = deps

  async function targetOf(tenant: TenantKey, key: FeatureKey): Promise<Outcome<Target>> {
    const feature = await entitlements.feature(tenant, key)
    if (feature === null) return refuse('unknown_feature', { feature: key })
    if (feature.type !== 'metered' || feature.meter === null) return refuse('feature_not_metered', { feature: key, wanted: 'report' })
    const meter = await meters.get(tenant, feature.meter)
    invariant(meter !== null, `meter ${feature.meter} is kept as a feature reads it`)
    const { aggregation } = meter
    if (!isAdditive(aggregation)) return refuse('feature_not_additive', { feature: key, aggregation, wanted: 'report' })
    return { meter, filter: feature.filter }
  }

  async function entitlementOf(tenant: TenantKey, { customer, feature }: ReportedQuantity): Promise<MeteredEntitlement | null> {
    const entitlement = (await entitlements.entitlementsOf(tenant, customer)).entitlements.get(feature)
    return entitlement?.type === 'metered' ? entitlement : null
  }

  return {
    async report(tenant, reported) {
      const target = await targetOf(tenant, reported.feature)
      if (isRefusal(target)) return target
      let period: Period | null = null
      if (reported.behaviour === 'set') {
        const entitlement = await entitlementOf(tenant, reported)
        if (entitlement === null) return refuse('no_entitlement', { customer: reported.customer, feature: reported.feature, wanted: 'set' })
        period = balances.periodAt(entitlement, reported.occurredAtMs)
      }
      const dimensions = dimensionsWithin(target.filter, target.meter, reported.properties)
      if (isRefusal(dimensions)) return dimensions
      const event = usageReportEvent(reported, target, dimensions, period)
      await reportUsage(tenant, [event])
      return { event, period }
    },
  }
}

type Target = { readonly meter: Meter; readonly filter: DimensionFilter }

function usageReportEvent(
  reported: ReportedQuantity,
  { meter, filter }: Target,
  dimensions: UsageReport['dimensions'],
  period: Period | null,
): UsageEvent {
  const { customer, feature, quantity, behaviour, id, occurredAtMs, properties } = reported
  const ofSet =
    period === null ? {} : { filter, periodStart: new Date(period.startMs).toISOString(), periodEnd: new Date(period.endMs).toISOString() }
  const data: UsageReport = {
    feature,
    meter: meter.key,
    quantity: formatQuantity(quantity),
    behaviour,
    dimensions,
    ...(properties === null ? {} : { properties }),
    ...ofSet,
  }
  return {
    id: usageReportEventId(id),
    source: USAGE_REPORT_SOURCE,
    type: USAGE_REPORT_TYPE,
    customer,
    subject: null,
    occurredAtMs,
    data: JSON.stringify(data),
    attributes: null,
  }
}
