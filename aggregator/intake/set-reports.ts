import type { MeterReader } from '../../adapters/database/meters/meter-store.ts'
import type { StoredEvent, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { formatQuantity } from '../../domain/decimal.ts'
import type { CustomerKey, Offset, Partition, Period, TenantKey } from '../../domain/identity.ts'
import type { DimensionFilter } from '../../domain/metering/dimension-filter.ts'
import { parsedData } from '../../domain/metering/event-data.ts'
import { readEvent } from '../../domain/metering/event-reading.ts'
import { isAdditive, type Meter } from '../../domain/metering/meter.ts'
import { matchesFilter } from '../../domain/metering/metering.ts'
import { readUsageReport, USAGE_REPORT_TYPE, type UsageSet } from '../../domain/metering/usage-report.ts'
import { readEventUsage } from '../../usage/event-usage.ts'
import { readPeriodUsage } from '../../usage/period-usage.ts'
import type { SetResolution } from '../fold/record-fold.ts'
import type { Flusher } from '../partition/flusher.ts'
import type { ReadyRecord } from './record-intake.ts'

export type SetReportDeps = {
  readonly usageStore: UsageStore
  readonly meters: MeterReader
  readonly flusher: Flusher
}

/**
 * Prepares what the fold needs to turn the `set` reports of a read batch into deltas; null when the batch has none.
 *
 * A delta is the quantity less all usage of the period at lower positions: the store's usage of records before the batch, plus
 * what the fold has counted of the batch so far. It depends on the log alone, so a replay comes to the same. When the stored row
 * has a delta already, that one counts, as the meter may have been redefined since.
 */
export async function prepareSetReports(
  deps: SetReportDeps,
  at: { readonly partition: Partition; readonly next: Offset },
  ready: readonly ReadyRecord[],
  isComplete: (meter: Meter) => boolean,
): Promise<SetResolution | null> {
  const sets = ready.flatMap(setsOf)
  if (sets.length === 0) return null
  // Windows and events below the batch must be in the store to be read from there.
  await deps.flusher.flush()
  const stored = await storedDeltas(deps.usageStore, at.partition, sets)
  const watches = await openWatches(
    deps,
    at,
    sets.filter((set) => !stored.has(positionOf(set))),
    isComplete,
  )
  return createResolution(stored, watches)
}

type PlacedSet = {
  readonly tenant: TenantKey
  readonly customer: CustomerKey
  readonly meterKey: Meter['key']
  readonly set: UsageSet
  readonly offset: Offset
  readonly index: number
}

function setsOf({ record, batch, hasReports }: ReadyRecord): PlacedSet[] {
  if (!hasReports) return []
  return batch.events.flatMap(({ type, customer, data }, index) => {
    if (type !== USAGE_REPORT_TYPE) return []
    const report = readUsageReport(parsedData(data))
    if (report === null || report.set === null) return []
    return [{ tenant: batch.tenant, customer, meterKey: report.meter, set: report.set, offset: record.offset, index }]
  })
}

/** Deltas by position. */
async function storedDeltas(usageStore: UsageStore, partition: Partition, sets: readonly PlacedSet[]): Promise<Map<string, string>> {
  const offsets = sets.map(({ offset }) => offset)
  const scan = {
    partition,
    types: [USAGE_REPORT_TYPE],
    customers: [...new Set(sets.map(({ customer }) => customer))],
    fromOffset: Math.min(...offsets) as Offset,
    toOffset: (Math.max(...offsets) + 1) as Offset,
  }
  const deltas = new Map<string, string>()
  for await (const events of usageStore.scanEvents(scan)) {
    for (const event of events) {
      const { delta } = parsedData(event.data) as { delta?: unknown }
      if (typeof delta === 'string') deltas.set(positionOf(event), delta)
    }
  }
  return deltas
}

/** Usage that a set replaces, followed through the batch. */
type Watch = {
  readonly tenant: TenantKey
  readonly customer: CustomerKey
  readonly meter: Meter
  readonly filter: DimensionFilter
  readonly period: Period
  /** Nano units. */
  total: bigint
}

async function openWatches(
  { usageStore, meters }: SetReportDeps,
  at: { readonly partition: Partition; readonly next: Offset },
  sets: readonly PlacedSet[],
  isComplete: (meter: Meter) => boolean,
): Promise<Map<string, Watch>> {
  const watches = new Map<string, Watch>()
  for (const placed of sets) {
    const { tenant, customer, meterKey, set } = placed
    if (watches.has(watchKey(placed))) continue
    const meter = await meters.get(tenant, meterKey)
    // The meter was deleted, or is no longer additive: there is nothing to set.
    if (meter === null || !isAdditive(meter.aggregation)) continue
    watches.set(watchKey(placed), { tenant, customer, meter, filter: set.filter, period: set.period, total: 0n })
  }
  const byShape = Map.groupBy(watches.values(), ({ meter, filter }) => JSON.stringify([meter.tenant, meter.revision, filter]))
  for (const some of byShape.values()) await readTotals(usageStore, at, some, isComplete)
  return watches
}

/**
 * Usage of one meter and filter in the store below the batch. The store may hold later events too, from an earlier life or a new
 * owner of the partition; the answer is the same.
 */
async function readTotals(
  usageStore: UsageStore,
  { partition, next }: { readonly partition: Partition; readonly next: Offset },
  some: readonly Watch[],
  isComplete: (meter: Meter) => boolean,
): Promise<void> {
  const [first] = some
  if (first === undefined) return
  const { meter, filter } = first
  const shape = { meter, groupBy: [], filter }
  const rows = isComplete(meter)
    ? await readPeriodUsage(usageStore, shape, some, { cutOffs: new Map([[partition, next]]), rowsMax: ROWS_MAX })
    : await readEventUsage(usageStore, shape, some, { partition, toOffset: next, rowsMax: ROWS_MAX })
  for (const [index, watch] of some.entries()) watch.total = rows[index]?.[0]?.sum ?? 0n
}

/** A read batch sets the usage of some hundred customers, each with a row for its period and up to two for the minutes at its ends. */
const ROWS_MAX = 1_000_000

function createResolution(stored: ReadonlyMap<string, string>, watches: ReadonlyMap<string, Watch>): SetResolution {
  const byCustomer = Map.groupBy(watches.values(), ({ tenant, customer }) => customerKeyOf(tenant, customer))
  return {
    resolved(event) {
      const data = parsedData(event.data)
      const report = readUsageReport(data)
      if (report === null || report.set === null) return event
      const { set, meter } = report
      const watch = watches.get(watchKey({ ...event, meterKey: meter, set }))
      const delta = stored.get(positionOf(event)) ?? formatQuantity(watch === undefined ? 0n : set.quantity - watch.total)
      return { ...event, data: JSON.stringify({ ...data, delta }) }
    },
    counted(event) {
      for (const watch of byCustomer.get(customerKeyOf(event.tenant, event.customer)) ?? []) watch.total += addedTo(watch, event)
    },
  }
}

function addedTo({ meter, filter, period }: Watch, event: StoredEvent): bigint {
  if (event.occurredAtMs < period.startMs || event.occurredAtMs >= period.endMs) return 0n
  const read = readEvent(meter, event, parsedData(event.data))
  if (read === null || 'unreadable' in read.reading || !matchesFilter(filter, read.dimensions)) return 0n
  return read.reading.value
}

function positionOf({ offset, index }: { readonly offset: Offset; readonly index: number }): string {
  return `${offset} ${index}`
}

function customerKeyOf(tenant: TenantKey, customer: CustomerKey): string {
  return `${tenant}\0${customer}`
}

function watchKey({ tenant, customer, meterKey, set }: Pick<PlacedSet, 'tenant' | 'customer' | 'meterKey' | 'set'>): string {
  return JSON.stringify([tenant, customer, meterKey, set.filter, set.period])
}
