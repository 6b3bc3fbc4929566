import type { AuditedDocument } from '../../adapters/database/book-audit/book-audit-reader.ts'
import { type StoredEvent, storedInstantMs, type UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { invariant } from '../../base/invariant.ts'
import { formatQuantity, parseQuantity } from '../../domain/decimal.ts'
import type { CustomerKey, InstantMs, Offset, Partition, Period, TenantKey } from '../../domain/identity.ts'
import type { DimensionFilter } from '../../domain/metering/dimension-filter.ts'
import { parsedData } from '../../domain/metering/event-data.ts'
import { type EventReading, eventTypesOf, readEvent } from '../../domain/metering/event-reading.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { type Aggregate, addToAggregate, aggregateValue, emptyAggregate, matchesFilter } from '../../domain/metering/metering.ts'
import { parseInstantText } from '../../domain/time/instant-text.ts'
import type { InvoiceJson } from '../documents/invoice-json.ts'
import { type BookDifference, differing } from './book-difference.ts'

/** A final line that counts events: a stretch of event time by a stretch of the log. */
export type CountedLine = {
  readonly invoice: string
  readonly line: string
  readonly customer: CustomerKey
  readonly meter: Meter
  readonly filter: DimensionFilter
  readonly stretches: readonly Period[]
  readonly partition: Partition
  readonly offsetFrom: Offset
  readonly offsetTo: Offset
  readonly quantityNano: bigint
}

/** The counted lines of a document; `meterOf` gives a meter as it was when a line first counted by it. */
export function countedLines(document: AuditedDocument, meterOf: (key: string, revision: number) => Meter | null): readonly CountedLine[] {
  // What was written as a record is read as one.
  const { lines } = document.record as unknown as InvoiceJson
  return lines.flatMap(({ line, trace, quantity }) => {
    if (trace === undefined || quantity === undefined) return []
    const { partition, offsetFrom, offsetTo, filter } = trace
    const meter = meterOf(trace.meter, trace.revision)
    const quantityNano = parseQuantity(quantity)
    invariant(meter !== null, `meter ${trace.meter} is kept with the first line that counts by it`)
    invariant(quantityNano !== null, `a quantity on a line is a decimal, and ${quantity} is none`)
    const stretches = (trace.stretches ?? [trace]).map(({ from, to }): Period => ({ startMs: msOf(from), endMs: msOf(to) }))
    return [
      {
        ...{ invoice: document.id, line, customer: document.customer, meter, filter, stretches, quantityNano },
        ...{ partition: partition as Partition, offsetFrom: offsetFrom as Offset, offsetTo: offsetTo as Offset },
      },
    ]
  })
}

/** Customers in the order of their keys: those after the first, up to the second. */
export type CustomerRange = { readonly afterCustomer: CustomerKey; readonly toCustomer: CustomerKey }

/**
 * Counts lines again from the events alone, all of them in one pass over the events of their customers: what lies below a line's
 * end in the log less what lies below its beginning, as the first is on earlier lines. The store keeps events by customer, so a
 * range of customers is read without looking at others.
 */
export async function recountLines(
  usageStore: Pick<UsageStore, 'scanEvents'>,
  tenant: TenantKey,
  customers: CustomerRange,
  lines: readonly CountedLine[],
): Promise<readonly BookDifference[]> {
  const counts = lines.map((line): Counts => ({ line, below: emptyAggregate, upTo: emptyAggregate }))
  await countTogether(usageStore, tenant, customers, counts)
  return counts.flatMap(({ line, below, upTo }) => {
    const recounted = quantityOf(line.meter, upTo) - quantityOf(line.meter, below)
    const where = `${line.invoice} line ${line.line}`
    return differing('a line counts what its events come to', where, formatQuantity(recounted), formatQuantity(line.quantityNano))
  })
}

/** Aggregates of what lies in a line's stretches, below each of its two bounds in the log. */
type Counts = { readonly line: CountedLine; below: Aggregate; upTo: Aggregate }

async function countTogether(
  usageStore: Pick<UsageStore, 'scanEvents'>,
  tenant: TenantKey,
  customers: CustomerRange,
  counts: readonly Counts[],
): Promise<void> {
  const wanted = counts.filter(({ line }) => line.stretches.length > 0)
  if (wanted.length === 0) return
  const stretches = wanted.flatMap(({ line }) => line.stretches)
  const scan = {
    ...{ tenant, ...customers, types: [...new Set(wanted.flatMap(({ line }) => eventTypesOf(line.meter)))] },
    fromMs: storedInstantMs(-greatest(stretches.map(({ startMs }) => -startMs))),
    toMs: storedInstantMs(greatest(stretches.map(({ endMs }) => endMs))),
  }
  const byCustomer = new Map(
    [...Map.groupBy(wanted, ({ line }) => line.customer)].map(([customer, own]) => [
      customer,
      [...Map.groupBy(own, ({ line }) => line.meter)].map(([meter, ofMeter]) => ({ meter, ofMeter })),
    ]),
  )
  for await (const events of usageStore.scanEvents(scan)) {
    for (const event of events) {
      const data = parsedData(event.data)
      for (const { meter, ofMeter } of byCustomer.get(event.customer) ?? []) {
        const read = readEvent(meter, event, data)
        if (read === null || 'unreadable' in read.reading) continue
        for (const each of ofMeter) addEvent(each, event, read)
      }
    }
  }
}

function addEvent(counts: Counts, event: StoredEvent, { reading, dimensions }: EventReading): void {
  const { partition, offsetFrom, offsetTo, filter, stretches, meter } = counts.line
  if (event.partition !== partition || event.offset >= offsetTo) return
  if (!stretches.some((period) => holds(period, event.occurredAtMs)) || !matchesFilter(filter, dimensions)) return
  counts.upTo = addToAggregate(counts.upTo, meter.aggregation, reading, event)
  if (event.offset < offsetFrom) counts.below = addToAggregate(counts.below, meter.aggregation, reading, event)
}

function quantityOf({ aggregation }: Meter, aggregate: Aggregate): bigint {
  return aggregateValue(aggregation, aggregate) ?? 0n
}

function holds({ startMs, endMs }: Period, atMs: InstantMs): boolean {
  return startMs <= atMs && atMs < endMs
}

/** As a spread of a hundred thousand arguments would not fit on the stack. */
function greatest(numbers: readonly number[]): number {
  return numbers.reduce((most, each) => Math.max(most, each), Number.NEGATIVE_INFINITY)
}

function msOf(instant: string): InstantMs {
  const ms = parseInstantText(instant)
  invariant(ms !== undefined, `a document holds instants, and ${instant} is none`)
  return ms
}
