import type { SeriesDay, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../domain/identity.ts'
import { parsedData } from '../../domain/metering/event-data.ts'
import { seriesDay } from '../../domain/metering/series.ts'
import type { UsageEvent } from '../../domain/metering/usage-event.ts'
import { readUsageReport, USAGE_REPORT_TYPE } from '../../domain/metering/usage-report.ts'
import type { FoldMeter, MeterGroup, MeterLookup } from './event-plans.ts'
import { addSeriesDay, seriesDayName } from './series-days.ts'
import type { WindowFold } from './window-fold.ts'

/** Everything about `seriesMax` that has to be waited for before a run of events is folded. */
export type SeriesLookUp = {
  note(event: Pick<UsageEvent, 'type' | 'customer' | 'occurredAtMs' | 'data'>, tenant: TenantKey): void
  /** Takes what the store has of the noted days into memory. */
  load(usageStore: Pick<UsageStore, 'seriesOfDays'>): Promise<void>
}

/** For days whose windows are all in the store, or known already. */
export function createSeriesLookUp(fold: WindowFold, lookup: MeterLookup): SeriesLookUp {
  const noted = new Map<string, SeriesDay & { readonly otherHash: number }>()

  function noteDay({ meter, group }: FoldMeter, customer: CustomerKey, occurredAtMs: InstantMs): void {
    const day = seriesDay(occurredAtMs)
    const name = seriesDayName(meter, customer, day)
    if (fold.series.byName.has(name) || noted.has(name)) return
    const otherHash = group.dimensions.other(fold.interned).hash
    noted.set(name, { tenant: meter.tenant, meter: meter.key, revision: meter.revision, customer, day, otherHash })
  }

  return {
    note({ type, customer, occurredAtMs, data }, tenant) {
      if (type === USAGE_REPORT_TYPE) {
        const report = readUsageReport(parsedData(data))
        const named = report === null ? undefined : lookup.meterNamed(tenant, report.meter)
        if (named?.group.series.isChecked === true) noteDay(named, customer, occurredAtMs)
        return
      }
      for (const { series, meters } of lookup.planOf(tenant, type)?.groups ?? []) {
        if (series.isChecked) for (const meter of meters) noteDay(meter, customer, occurredAtMs)
      }
    },
    async load(usageStore) {
      if (noted.size === 0) return
      const found = await usageStore.seriesOfDays({ partition: fold.partition, isBackfilled: fold.chunkBase > 0 }, [...noted.values()])
      for (const [name, day] of noted) {
        const series = found.get(day) ?? []
        addSeriesDay(
          fold.series,
          name,
          series.filter((hash) => hash !== day.otherHash),
        )
      }
    },
  }
}

/** Lets groups that are new see what the store holds of their meters from before. */
export async function seedSeries(
  usageStore: Pick<UsageStore, 'seriesOfMeters'>,
  groups: Iterable<MeterGroup>,
  isBackfilled: boolean,
): Promise<void> {
  const unseeded = [...groups].filter(({ series }) => !series.isSeeded)
  if (unseeded.length === 0) return
  const meters = unseeded.flatMap((group) =>
    group.meters.map(({ meter: { tenant, key, revision } }) => ({ group, tenant, meter: key, revision })),
  )
  const found = await usageStore.seriesOfMeters(meters, isBackfilled, SEEN_MAX)
  for (const [at, { group }] of meters.entries()) group.dimensions.addSeen(found[at] ?? null)
  for (const { series } of unseeded) series.isSeeded = true
}

/** Combinations of a meter that are read at a start; one with more is checked day by day. */
const SEEN_MAX = 2_000

/** Whether a group comes so close to its bound that one more record could exceed it. */
export function isCheckDue(groups: Iterable<MeterGroup>, recordEventsMax: number): boolean {
  for (const group of groups) if (isDue(group, recordEventsMax)) return true
  return false
}

/** From now on these groups are checked. */
export function checkDue(groups: Iterable<MeterGroup>, recordEventsMax: number): void {
  for (const group of groups) if (isDue(group, recordEventsMax)) group.series.isChecked = true
}

function isDue({ dimensions, series }: MeterGroup, recordEventsMax: number): boolean {
  return !series.isChecked && dimensions.seen() + recordEventsMax > series.seriesMax
}
