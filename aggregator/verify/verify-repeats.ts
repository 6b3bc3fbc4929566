import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Offset, Partition } from '../../domain/identity.ts'
import type { Difference } from './difference.ts'

/** One event as it stands in `events`. */
export type PlacedKey = {
  readonly tenant: string
  readonly customer: string
  readonly source: string
  readonly id: string
  readonly receivedAtMs: number
  readonly partition: number
  readonly offset: number
  readonly index: number
}

/**
 * Finds an event that stands twice within the horizon. It reads one partition in the order of the log, in which times of receipt
 * ascend except after a clock was set back, so it remembers only the last one of each id.
 */
export function createRepeatCheck(horizonMs: number): { add(event: PlacedKey): Difference | null } {
  const lastById = new Map<string, { readonly receivedAtMs: number; readonly offset: number; readonly index: number }>()
  return {
    add(event) {
      const key = JSON.stringify([event.tenant, event.customer, event.source, event.id])
      const last = lastById.get(key)
      if (last?.offset === event.offset && last.index === event.index) return null
      lastById.set(key, { receivedAtMs: event.receivedAtMs, offset: event.offset, index: event.index })
      if (last === undefined || event.receivedAtMs - last.receivedAtMs > horizonMs) return null
      return {
        view: 'events',
        where: `event ${event.id} of customer ${event.customer}, source ${event.source}, partition ${event.partition}`,
        expected: `once, at (${last.offset}, ${last.index})`,
        found: `again at (${event.offset}, ${event.index})`,
      }
    },
  }
}

/**
 * Keys that stand at more than one place, in the order of the log, at most `REPEATED_MAX`. The engine groups by a hash, and
 * spills to disk what does not fit, so nothing here grows with the number of events.
 */
export async function repeatedKeys(
  usageStore: Pick<UsageStore, 'query'>,
  { partition, toOffset }: { readonly partition: Partition; readonly toOffset: Offset },
): Promise<readonly PlacedKey[]> {
  const rows = await usageStore.query(
    `SELECT DISTINCT tenant, customer, source, id, log_offset, log_index, toUnixTimestamp64Milli(received_at) AS received_at_ms
     FROM events
     WHERE log_partition = {partition:UInt32} AND log_offset < {toOffset:UInt64} AND cityHash64(tenant, customer, source, id) IN (
       SELECT cityHash64(tenant, customer, source, id) AS hash FROM events
       WHERE log_partition = {partition:UInt32} AND log_offset < {toOffset:UInt64}
       GROUP BY hash
       HAVING min(log_offset) < max(log_offset) OR min(log_index) < max(log_index)
     )
     ORDER BY log_offset, log_index LIMIT {rowsMax:UInt64}
     SETTINGS max_bytes_before_external_group_by = ${GROUPING_BYTES_MAX}`,
    { partition, toOffset, rowsMax: REPEATED_MAX },
  )
  return rows.map((row) => ({
    tenant: String(row.tenant),
    customer: String(row.customer),
    source: String(row.source),
    id: String(row.id),
    receivedAtMs: Number(row.received_at_ms),
    partition,
    offset: Number(row.log_offset),
    index: Number(row.log_index),
  }))
}

const REPEATED_MAX = 100_000
const GROUPING_BYTES_MAX = 256 * 1024 * 1024
