import type { UsageStore, WindowKey, WindowRow } from '../../adapters/usage-store/usage-store.ts'
import type { CustomerKey, InstantMs, Offset, TenantKey } from '../../domain/identity.ts'
import { parsedData } from '../../domain/metering/event-data.ts'
import { isOther } from '../../domain/metering/series.ts'
import type { UsageEvent } from '../../domain/metering/usage-event.ts'
import { dimensionsOfReport, readUsageReport, USAGE_REPORT_TYPE } from '../../domain/metering/usage-report.ts'
import { MINUTE_MS } from '../../domain/time/durations.ts'
import type { Dimensions } from './dimension-interning.ts'
import type { MeterGroup, MeterLookup } from './event-plans.ts'
import { putInTally } from './tally.ts'
import { entryAt, findEntry, type WindowCustomer, type WindowFold } from './window-fold.ts'

/** Windows of the present chunk that are not in memory, and may be in the store. */
export type AwayWindows = {
  /** Notes the windows in which an event of the chunk counts. */
  note(event: Pick<UsageEvent, 'type' | 'customer' | 'occurredAtMs' | 'data'>, tenant: TenantKey, customer: WindowCustomer): void
  /** How many were noted. */
  size(): number
  keys(): readonly WindowKey[]
  /** Takes the store's rows of them back into memory; `next` is the first offset not yet folded. */
  takeBack(rows: readonly WindowRow[], next: Offset): void
}

type Away = {
  readonly group: MeterGroup
  readonly customer: WindowCustomer
  readonly event: { readonly customer: CustomerKey; readonly occurredAtMs: InstantMs }
  readonly dimensions: Dimensions
}

/**
 * A row holds its chunk's total up to its version, whoever wrote it and however often, so the fold goes on from there as if the
 * window had never left. The version may lie ahead, written by an earlier life or by a process that took the partition over: then
 * events up to it are in the row already, and are not counted again.
 */
export function createAwayWindows(fold: WindowFold, lookup: MeterLookup): AwayWindows {
  const away = new Map<Dimensions, Map<string, Away>>()
  let size = 0

  function noteIn(group: MeterGroup, customer: WindowCustomer, event: Away['event'], dimensions: Dimensions): void {
    // Whether it counts under its own dimensions is decided later.
    if (group.series.isChecked && !isOther(dimensions.named)) noteIn(group, customer, event, group.dimensions.other(fold.interned))
    const minute = Math.floor(event.occurredAtMs / MINUTE_MS)
    if (findEntry(fold, customer, dimensions, event.occurredAtMs) !== 0) return
    if (!fold.letGo.mayHave(event.customer, dimensions.values, (minute * MINUTE_MS) as InstantMs)) return
    const ofDimensions = away.get(dimensions) ?? new Map<string, Away>()
    away.set(dimensions, ofDimensions)
    const name = `${minute} ${event.customer}`
    if (ofDimensions.has(name)) return
    ofDimensions.set(name, { group, customer, event, dimensions })
    size++
  }

  return {
    note(event, tenant, customer) {
      if (event.type === USAGE_REPORT_TYPE) {
        const report = readUsageReport(parsedData(event.data))
        const named = report === null ? undefined : lookup.meterNamed(tenant, report.meter)
        if (report === null || named === undefined) return
        const values = dimensionsOfReport(report, named.compiled)
        noteIn(named.group, customer, event, named.group.dimensions.of(values, fold.interned))
        return
      }
      for (const group of lookup.planOf(tenant, event.type)?.groups ?? []) {
        noteIn(group, customer, event, group.dimensions.read(parsedData(event.data), fold.interned))
      }
    },
    size: () => size,
    keys: () => [...away.values()].flatMap((ofDimensions) => [...ofDimensions.values()].flatMap(keysOf)),
    takeBack(rows, next) {
      const byName = new Map(rows.map((row) => [nameOf(row), row]))
      for (const ofDimensions of away.values()) for (const each of ofDimensions.values()) takeBackOne(fold, each, byName, next)
    },
  }
}

/** Brings back the windows in which these events may count. Does nothing while nothing of the chunk was dropped from memory. */
export async function bringBack(
  usageStore: Pick<UsageStore, 'windowRows'>,
  fold: WindowFold,
  away: AwayWindows,
  next: Offset,
): Promise<void> {
  if (away.size() === 0) return
  const { partition, chunkBase, chunk } = fold
  away.takeBack(await usageStore.windowRows({ partition, chunk: chunkBase + chunk }, away.keys()), next)
}

function takeBackOne(
  fold: WindowFold,
  { group, customer, event, dimensions }: Away,
  rows: ReadonlyMap<string, WindowRow>,
  next: Offset,
): void {
  const keys = keysOf({ group, customer, event, dimensions })
  for (const [at, { meter, tallyPlace }] of group.meters.entries()) {
    const key = keys[at]
    const row = key === undefined ? undefined : rows.get(nameOf(key))
    if (row === undefined) continue
    const place = entryAt(fold, group, customer, event, dimensions) + tallyPlace
    putInTally(fold.table.tallies, place, meter.aggregation, row)
    if (row.version >= next) fold.countedTo.set(place, row.version)
  }
}

function keysOf({ group, event, dimensions }: Away): readonly WindowKey[] {
  const windowStartMs = (Math.floor(event.occurredAtMs / MINUTE_MS) * MINUTE_MS) as InstantMs
  return group.meters.map(({ meter: { tenant, key, revision } }) => ({
    ...{ tenant, meter: key, revision, customer: event.customer, windowStartMs, dimensions: dimensions.named },
  }))
}

function nameOf({ tenant, revision, customer, windowStartMs, dimensions }: WindowKey): string {
  return JSON.stringify([tenant, revision, customer, windowStartMs, Object.values(dimensions)])
}
