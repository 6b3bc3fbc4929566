import type { ClickHouseExecutor, ClickHouseReader } from '../engine/clickhouse-executor.ts'
import type { Conditions } from './event-conditions.ts'

/**
 * Cuts a scan into ranges of about `pageEvents` events, because chDB holds a whole answer in memory: one range when all of them
 * fit, otherwise ranges of offsets, partition by partition.
 */
export async function* offsetRanges(executor: ClickHouseExecutor, where: Conditions, pageEvents: number): AsyncIterable<Conditions> {
  const rows = await executor.select(
    `SELECT log_partition, count(), min(log_offset), max(log_offset) FROM events WHERE ${where.sql} GROUP BY log_partition ORDER BY log_partition`,
    where.params,
  )
  const extents = rows
    .map((row) => row.map(Number))
    .map(([partition = 0, events = 0, first = 0, last = 0]) => ({ partition, events, first, last }))
  const all = extents.reduce((sum, { events }) => sum + events, 0)
  if (all === 0) return
  if (all <= pageEvents) yield EVERYTHING
  else for (const extent of extents) yield* rangesWithin(executor, where, extent, pageEvents)
}

/** The extent of a scan in one partition: the number of events, and the offsets of the first and the last. */
type Extent = { readonly partition: number; readonly events: number; readonly first: number; readonly last: number }

/** The events of a partition are counted in buckets of offsets four times finer than a page. */
export async function* rangesWithin(
  reader: ClickHouseReader,
  where: Conditions,
  { partition: rangePartition, events, first, last }: Extent,
  pageEvents: number,
): AsyncIterable<Conditions> {
  const range = (rangeFrom: number, rangeTo: number): Conditions => ({
    sql: 'log_partition = {rangePartition:UInt32} AND log_offset >= {rangeFrom:UInt64} AND log_offset < {rangeTo:UInt64}',
    params: { rangePartition, rangeFrom, rangeTo },
  })
  if (events <= pageEvents) {
    yield range(first, last + 1)
    return
  }
  const bucketOffsets = Math.max(1, Math.floor(((last - first + 1) * pageEvents) / events / 4))
  const buckets = await reader.select(
    `SELECT intDiv(log_offset, {bucketOffsets:UInt64}) AS bucket, count() FROM events
     WHERE ${where.sql} AND log_partition = {rangePartition:UInt32} GROUP BY bucket ORDER BY bucket`,
    { ...where.params, bucketOffsets, rangePartition },
  )
  let rangeFrom = first
  let inRange = 0
  for (const row of buckets) {
    const bucketFrom = Number(row[0]) * bucketOffsets
    const inBucket = Number(row[1])
    if (inRange > 0 && inRange + inBucket > pageEvents) {
      yield range(rangeFrom, bucketFrom)
      rangeFrom = bucketFrom
      inRange = 0
    }
    inRange += inBucket
  }
  yield range(rangeFrom, last + 1)
}

const EVERYTHING: Conditions = { sql: '1', params: {} }
