import type { MeterStore } from '../../adapters/database/meters/meter-store.ts'
import { aggregateOfRow, type UsageRow, type UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { InstantMs, Offset, Period } from '../../domain/identity.ts'
import { type Aggregate, aggregateValue, emptyAggregate, mergeAggregates } from '../../domain/metering/metering.ts'
import { type Outcome, refuse } from '../../domain/refusal.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../domain/time/durations.ts'
import { readEventUsage } from '../../usage/event-usage.ts'
import type { UsageReader } from '../../usage/usage-reader.ts'
import { BILLING_BOUNDS } from '../billing-bounds.ts'
import type { CountedLine } from './counted-line.ts'

export type LineWindow = 'minute' | 'hour' | 'day'
export type WindowOfLine = { readonly period: Period; readonly quantityNano: bigint; readonly events: number }

export type LineWindowsDeps = {
  readonly meters: Pick<MeterStore, 'get'>
  readonly usageReader: Pick<UsageReader, 'periods' | 'isComplete'>
  readonly usageStore: Pick<UsageStore, 'scanEvents'>
}

/**
 * What a line counts, by windows in UTC that have usage: each as of the line's end in the log less what was there at its beginning. For
 * sums and counts they add up to the line's quantity. A meter that has been redefined since has no windows of then, and its
 * events are counted. Refuses `too_many_windows`.
 */
export async function lineWindows(
  { meters, usageReader, usageStore }: LineWindowsDeps,
  counted: CountedLine,
  window: LineWindow,
): Promise<Outcome<readonly WindowOfLine[]>> {
  const { meter, filter, customer, stretches, partition, fromOffset, toOffset } = counted
  const windows = stretches.reduce((sum, { startMs, endMs }) => sum + Math.ceil((endMs - startMs) / LENGTH_MS[window]) + 1, 0)
  const windowsMax = BILLING_BOUNDS.lineWindows.most
  if (windows > windowsMax) return refuse('too_many_windows', { window, windows, windowsMax })
  const periods = stretches.flatMap((stretch) => cut(stretch, LENGTH_MS[window]))
  const asked = periods.map((period) => ({ customer, period }))
  const shape = { meter, groupBy: [], filter }
  const isKept = (await meters.get(meter.tenant, meter.key))?.revision === meter.revision && (await usageReader.isComplete(meter))
  const read = async (offset: Offset): Promise<readonly (readonly UsageRow[])[]> => {
    if (offset === 0 || asked.length === 0) return asked.map(() => [])
    if (isKept) return await usageReader.periods(shape, asked, new Map([[partition, offset]]))
    return await readEventUsage(usageStore, shape, asked, { partition, toOffset: offset, rowsMax: windowsMax })
  }
  const [before, after] = [await read(fromOffset), await read(toOffset)]
  return periods.flatMap((period, at) => {
    const [was, is] = [totalOf(before[at]), totalOf(after[at])]
    const quantityOf = (total: Aggregate) => aggregateValue(meter.aggregation, total) ?? 0n
    const events = is.events - was.events
    return events === 0 ? [] : [{ period, quantityNano: quantityOf(is) - quantityOf(was), events }]
  })
}

const LENGTH_MS: Readonly<Record<LineWindow, number>> = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS }

/** Whole windows, the first and the last as far as they are in the stretch. */
function cut({ startMs, endMs }: Period, lengthMs: number): readonly Period[] {
  const periods: Period[] = []
  for (let atMs: number = startMs; atMs < endMs; ) {
    const nextMs = Math.min(endMs, (Math.floor(atMs / lengthMs) + 1) * lengthMs)
    periods.push({ startMs: atMs as InstantMs, endMs: nextMs as InstantMs })
    atMs = nextMs
  }
  return periods
}

function totalOf(rows: readonly UsageRow[] = []): Aggregate {
  return rows.map(aggregateOfRow).reduce(mergeAggregates, emptyAggregate)
}
