import type { AuditedDocument } from '../../adapters/database/book-audit/book-audit-reader.ts'
import { storedInstantMs, type UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { invariant } from '../../base/invariant.ts'
import { formatQuantity, parseQuantity } from '../../domain/decimal.ts'
import type { CustomerKey, InstantMs, Offset, Partition, Period } from '../../domain/identity.ts'
import type { DimensionFilter } from '../../domain/metering/dimension-filter.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { type Aggregate, addToAggregate, aggregateValue, emptyAggregate, matchesFilter } from '../../domain/metering/metering.ts'
import { parseInstantText } from '../../domain/time/instant-text.ts'
import { countedEvents } from '../../usage/counted-events.ts'
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

/**
 * Counts lines again from the events alone, all lines of a meter in one pass over the events of their customers: what lies below
 * a line's end in the log less what lies below its beginning, as the first is on earlier lines.
 */
export async function recountLines(
  usageStore: Pick<UsageStore, 'scanEvents'>,
  lines: readonly CountedLine[],
): Promise<readonly BookDifference[]> {
  const scans = Map.groupBy(lines, ({ meter, partition }) => `${meter.key} ${meter.revision} ${partition}`)
  const differences: BookDifference[] = []
  for (const together of scans.values()) {
    const counts = await countTogether(usageStore, together)
    for (const { line, below, upTo } of counts) {
      const recounted = quantityOf(line.meter, upTo) - quantityOf(line.meter, below)
      const where = `${line.invoice} line ${line.line}`
      differences.push(
        ...differing('a line counts what its events come to', where, formatQuantity(recounted), formatQuantity(line.quantityNano)),
      )
    }
  }
  return differences
}

/** Aggregates of what lies in a line's stretches, below each of its two bounds in the log. */
type Counts = { readonly line: CountedLine; below: Aggregate; upTo: Aggregate }

/** Lines of one meter and partition. */
async function countTogether(usageStore: Pick<UsageStore, 'scanEvents'>, lines: readonly CountedLine[]): Promise<readonly Counts[]> {
  const counts = lines.map((line): Counts => ({ line, below: emptyAggregate, upTo: emptyAggregate }))
  const wanted = counts.filter(({ line }) => line.stretches.length > 0)
  const [first] = wanted
  if (first === undefined) return counts
  const byCustomer = Map.groupBy(wanted, ({ line }) => line.customer)
  const stretches = wanted.flatMap(({ line }) => line.stretches)
  const { meter, partition } = first.line
  const scan = {
    ...{ partition, customers: [...byCustomer.keys()], toOffset: greatest(wanted.map(({ line }) => line.offsetTo)) as Offset },
    fromMs: storedInstantMs(-greatest(stretches.map(({ startMs }) => -startMs))),
    toMs: storedInstantMs(greatest(stretches.map(({ endMs }) => endMs))),
  }
  for await (const { event, reading, dimensions } of countedEvents(usageStore, { meter, filter: {} }, scan)) {
    for (const each of byCustomer.get(event.customer) ?? []) {
      const { offsetFrom, offsetTo, filter } = each.line
      if (event.offset >= offsetTo || !each.line.stretches.some((period) => holds(period, event.occurredAtMs))) continue
      if (!matchesFilter(filter, dimensions)) continue
      each.upTo = addToAggregate(each.upTo, meter.aggregation, reading, event)
      if (event.offset < offsetFrom) each.below = addToAggregate(each.below, meter.aggregation, reading, event)
    }
  }
  return counts
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
