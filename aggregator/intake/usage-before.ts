import type { EventScan, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { CustomerKey, InstantMs, Offset, Partition, Period } from '../../domain/identity.ts'
import type { DimensionFilter } from '../../domain/metering/dimension-filter.ts'
import { eventTypesOf, readEvent } from '../../domain/metering/event-reading.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { matchesFilter } from '../../domain/metering/metering.ts'
import { parsedData } from '../fold/record-fold.ts'
import { MINUTE_MS } from '../fold/window-fold.ts'

/** Usage of one customer that passes a filter, in a period, to the millisecond. The meter adds up. */
export type UsageWanted = {
  readonly customer: CustomerKey
  readonly meter: Meter
  readonly filter: DimensionFilter
  readonly period: Period
}

/**
 * What the events of a partition below an offset add up to, in nano units. They must be in the store; it may hold later
 * ones too, from an earlier life or of a process that took the partition over, and the answer is the same. So windows
 * serve for the chunks before the one that the offset is in, and the events decide the rest.
 */
export async function usageBefore(
  usageStore: UsageStore,
  before: { readonly partition: Partition; readonly offset: Offset },
  wanted: readonly UsageWanted[],
  isComplete: (meter: Meter) => boolean,
): Promise<ReadonlyMap<UsageWanted, bigint>> {
  const totals = new Map(wanted.map((each) => [each, 0n]))
  const add = (each: UsageWanted, value: bigint) => void totals.set(each, (totals.get(each) ?? 0n) + value)
  const chunkRecords = usageStore.chunkRecords()
  const chunk = Math.floor(before.offset / chunkRecords)
  const parts = wanted.map((each) => partsOf(each, before.offset, isComplete(each.meter) ? ((chunk * chunkRecords) as Offset) : 0))
  for (const group of groupBy(
    parts.flatMap(({ windows }) => windows),
    windowsKey,
  ))
    await addWindows(usageStore, group, chunk, add)
  for (const group of groupBy(
    parts.flatMap(({ events }) => events),
    scanKey,
  ))
    await addEvents(usageStore, before.partition, group, add)
  return totals
}

type Add = (wanted: UsageWanted, value: bigint) => void
/** Whole minutes. */
type WindowsPart = { readonly wanted: UsageWanted; readonly range: Period }
type EventsPart = { readonly wanted: UsageWanted; readonly range: Period; readonly fromOffset: Offset; readonly toOffset: Offset }

/** `windowsTo`: windows hold what is below it, complete; 0 for none. */
function partsOf(wanted: UsageWanted, toOffset: Offset, windowsTo: number): { windows: WindowsPart[]; events: EventsPart[] } {
  const startMs = Math.max(wanted.period.startMs, 0) as InstantMs
  const endMs = Math.min(wanted.period.endMs, LATEST_MS) as InstantMs
  const wholeFromMs = (Math.ceil(startMs / MINUTE_MS) * MINUTE_MS) as InstantMs
  const wholeToMs = (Math.floor(endMs / MINUTE_MS) * MINUTE_MS) as InstantMs
  const eventsIn = (from: InstantMs, to: InstantMs, fromOffset = 0 as Offset): EventsPart[] =>
    from < to && fromOffset < toOffset ? [{ wanted, range: { startMs: from, endMs: to }, fromOffset, toOffset }] : []
  if (windowsTo === 0 || wholeFromMs >= wholeToMs) return { windows: [], events: eventsIn(startMs, endMs) }
  return {
    windows: [{ wanted, range: { startMs: wholeFromMs, endMs: wholeToMs } }],
    events: [...eventsIn(startMs, wholeFromMs), ...eventsIn(wholeToMs, endMs), ...eventsIn(wholeFromMs, wholeToMs, windowsTo as Offset)],
  }
}

/** The store keeps no minute from here on, and ingest takes no event. */
export const LATEST_MS = Date.UTC(2106, 0, 1)

async function addWindows(usageStore: UsageStore, parts: readonly WindowsPart[], beforeChunk: number, add: Add): Promise<void> {
  const [first] = parts
  if (first === undefined) return
  const { meter, filter } = first.wanted
  const rows = await usageStore.usage({
    tenant: meter.tenant,
    meter: meter.key,
    revision: meter.revision,
    customers: customersOf(parts),
    fromMs: first.range.startMs,
    toMs: first.range.endMs,
    groupBy: ['customer'],
    filter,
    beforeChunk,
    rowsMax: parts.length,
  })
  const sums = new Map(rows.map(({ customer, sum }) => [customer, sum]))
  for (const { wanted } of parts) add(wanted, sums.get(wanted.customer) ?? 0n)
}

async function addEvents(usageStore: UsageStore, partition: Partition, parts: readonly EventsPart[], add: Add): Promise<void> {
  const [first] = parts
  if (first === undefined) return
  const byCustomer = Map.groupBy(parts, ({ wanted }) => wanted.customer)
  for await (const events of usageStore.scanEvents({ ...scanOf(first), partition, customers: customersOf(parts) })) {
    for (const event of events) {
      const data = parsedData(event.data)
      for (const { wanted } of byCustomer.get(event.customer) ?? []) {
        const read = readEvent(wanted.meter, event, data)
        if (read === null || 'unreadable' in read.reading || !matchesFilter(wanted.filter, read.dimensions)) continue
        add(wanted, read.reading.value)
      }
    }
  }
}

function customersOf(parts: readonly { readonly wanted: UsageWanted }[]): CustomerKey[] {
  return [...new Set(parts.map(({ wanted }) => wanted.customer))]
}

function windowsKey({ wanted: { meter, filter }, range }: WindowsPart): string {
  return JSON.stringify([meter.tenant, meter.revision, filter, range])
}

function scanOf({ wanted: { meter }, range, fromOffset, toOffset }: EventsPart): EventScan {
  return { tenant: meter.tenant, types: eventTypesOf(meter), fromMs: range.startMs, toMs: range.endMs, fromOffset, toOffset }
}

function scanKey(part: EventsPart): string {
  return JSON.stringify(scanOf(part))
}

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Iterable<Item[]> {
  return Map.groupBy(items, keyOf).values()
}
