import type { LogRecord } from '../../adapters/event-log/event-log.ts'
import { NANO, parseQuantity } from '../../domain/decimal.ts'
import type { CustomerKey, Offset } from '../../domain/identity.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { DEDUPE_HORIZON_MS, type UsageEvent } from '../../domain/metering/usage-event.ts'
import { decodeUsageEventBatch } from '../../schemas/avro/usage-event-batch.ts'
import { windowName } from './usage-store-model.ts'

/** An event that counts, with its place in the log. */
export type AcceptedEvent = UsageEvent & { readonly offset: Offset; readonly index: number; readonly receivedAtMs: number }

/** The total of a list of events. */
export type ObviousTotal = { events: number; value: bigint; latest: AcceptedEvent | null; readonly texts: Set<string> }

/** Reads a whole partition from its first record on, and checks each event against all those accepted before. */
export function acceptedEvents(records: readonly LogRecord[]): readonly AcceptedEvent[] {
  const receiptsByKey = new Map<string, number[]>()
  return records.flatMap(({ offset, receivedAtMs, value }) => {
    const { tenant, events } = decodeUsageEventBatch(value)
    return events.flatMap((event, index) => {
      const key = JSON.stringify([tenant, event.customer, event.source, event.id])
      const receipts = receiptsByKey.get(key) ?? []
      if (receipts.some((beforeMs) => receivedAtMs - beforeMs <= DEDUPE_HORIZON_MS)) return []
      receiptsByKey.set(key, [...receipts, receivedAtMs])
      return [{ ...event, offset, index, receivedAtMs }]
    })
  })
}

/**
 * The windows of a meter, by name. In each day of a customer the first `seriesMax` combinations of dimensions have windows of
 * their own; those that were counted live and those that were counted again, below `fromOffset`, each by themselves.
 */
export function obviousWindows(events: readonly AcceptedEvent[], meter: Meter, fromOffset: Offset): ReadonlyMap<string, ObviousTotal> {
  const windows = new Map<string, ObviousTotal>()
  const kept = new Map<string, Set<string>>()
  for (const event of events) {
    if (event.type !== meter.eventType || !isCounted(event, meter)) continue
    const dimensions = dimensionsOf(event, meter)
    const day = JSON.stringify([event.customer, Math.floor(event.occurredAtMs / 86_400_000), event.offset < fromOffset])
    const ofDay = kept.get(day) ?? new Set<string>()
    kept.set(day, ofDay)
    if (ofDay.size < (meter.seriesMax ?? Number.POSITIVE_INFINITY)) ofDay.add(JSON.stringify(dimensions))
    const isKept = ofDay.has(JSON.stringify(dimensions)) || Object.keys(dimensions).length === 0
    const named = isKept ? dimensions : Object.fromEntries(Object.keys(dimensions).map((name) => [name, '(other)']))
    const startMs = event.occurredAtMs - (event.occurredAtMs % 60_000)
    addTo(windows, windowName(event.customer, startMs, named), event, meter)
  }
  return windows
}

/** Whether the event has a value that the meter can read. */
function isCounted(event: AcceptedEvent, { aggregation, value }: Meter): boolean {
  const found = (JSON.parse(event.data) as Readonly<Record<string, unknown>>)[value[0] ?? '']
  if (aggregation === 'count') return true
  return aggregation === 'unique' ? found !== undefined : parseQuantity(String(found)) !== null
}

/** A feature's usage by start of the period, for one customer. */
export function obviousUsage(
  events: readonly AcceptedEvent[],
  counted: {
    readonly customer: CustomerKey
    readonly meter: Meter
    readonly filter: Readonly<Record<string, readonly string[]>>
    readonly periodStartMs: (occurredAtMs: number) => number
  },
): ReadonlyMap<number, ObviousTotal> {
  const periods = new Map<number, ObviousTotal>()
  for (const event of events) {
    if (event.customer !== counted.customer || event.type !== counted.meter.eventType) continue
    const dimensions = dimensionsOf(event, counted.meter)
    if (Object.entries(counted.filter).some(([name, values]) => !values.includes(dimensions[name] ?? ''))) continue
    addTo(periods, counted.periodStartMs(event.occurredAtMs), event, counted.meter)
  }
  return periods
}

function addTo<Key>(totals: Map<Key, ObviousTotal>, key: Key, event: AcceptedEvent, meter: Meter): void {
  const data = JSON.parse(event.data) as Readonly<Record<string, unknown>>
  const [property = ''] = meter.value
  const total = totals.get(key) ?? { events: 0, value: 0n, latest: null, texts: new Set<string>() }
  if (meter.aggregation === 'unique') {
    if (data[property] === undefined) return
    total.texts.add(String(data[property]))
    total.value = BigInt(total.texts.size) * NANO
  } else {
    const value = meter.aggregation === 'count' ? NANO : parseQuantity(String(data[property]))
    if (value === null) return
    if (meter.aggregation === 'sum' || meter.aggregation === 'count') total.value += value
    else if (meter.aggregation === 'max') total.value = total.events === 0 || value > total.value ? value : total.value
    else if (meter.aggregation !== 'latest') throw new Error(`the obvious model knows no ${meter.aggregation}`)
    else if (total.latest === null || isLater(event, total.latest)) {
      total.latest = event
      total.value = value
    }
  }
  total.events++
  totals.set(key, total)
}

function isLater(a: AcceptedEvent, b: AcceptedEvent): boolean {
  return (a.occurredAtMs - b.occurredAtMs || a.offset - b.offset || a.index - b.index) > 0
}

function dimensionsOf(event: AcceptedEvent, { dimensions }: Meter): Readonly<Record<string, string>> {
  const data = JSON.parse(event.data) as Readonly<Record<string, unknown>>
  const entries = Object.entries(dimensions).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, property]) => [name, data[property] === undefined ? '' : String(data[property])]))
}
