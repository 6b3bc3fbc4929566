import type { CustomerKey, InstantMs, Offset, Partition, TenantKey } from '../../../domain/identity.ts'
import { contentBytes } from '../../../domain/metering/content-bytes.ts'
import type { ClickHouseExecutor, ResultRow } from '../engine/clickhouse-executor.ts'
import { engineErrorCode } from '../engine/usage-store-fault.ts'
import { INNER_READ_BOUNDS, type InnerReadBounds, READ_BOUNDS_DEFAULT, type ReadBounds } from '../read-bounds.ts'
import type { EventKey, EventPosition, EventQuery, StoredEvent, UsageStore } from '../usage-store.ts'
import { type BoundedSelect, createBoundedSelect, TOO_MANY_BYTES } from './bounded-select.ts'
import { type Conditions, conditions, optionalStoredMs, scanConditions, whereWithin } from './event-conditions.ts'
import { EVENT_HASH_SQL, EVENT_PRINT_SQL } from './event-hash-sql.ts'
import { offsetRanges, rangesWithin } from './offset-ranges.ts'
import { textRow } from './text-row.ts'

/** The store's reads of events. Rewrites are equal rows of one position, so skipping equal neighbours hides them. */
export type EventQueries = Pick<UsageStore, 'findEvents' | 'scanEvents' | 'scanEventHashes' | 'scanEventPrints' | 'events'>

/** Keys in one look-up, so that the parameter stays below a few MB. */
const KEYS_PER_QUERY_MAX = 10_000
/** Events in one answer of a scan: some 10 MB, as most events are. */
const SCAN_PAGE_EVENTS = 20_000
/** Hashes in one answer: some 64 MB. */
const SCAN_PAGE_HASHES = 8_000_000
/** Prints in one answer: some 24 MB. */
const SCAN_PAGE_PRINTS = 1_000_000

export function createEventQueries(
  executor: ClickHouseExecutor,
  bounds: ReadBounds = READ_BOUNDS_DEFAULT,
  { scanBytes }: Pick<InnerReadBounds, 'scanBytes'> = INNER_READ_BOUNDS,
): EventQueries {
  const select = createBoundedSelect(executor, bounds)
  return {
    async findEvents(keys, receivedFromMs) {
      const found = new Map<EventKey, EventPosition & { receivedAtMs: InstantMs }>()
      for (let from = 0; from < keys.length; from += KEYS_PER_QUERY_MAX) {
        await findSome(executor, keys.slice(from, from + KEYS_PER_QUERY_MAX), receivedFromMs, found)
      }
      return found
    },

    async *scanEvents(scan) {
      // The engine makes no table of an empty text.
      if (scan.minutes?.length === 0) return
      for await (const events of eventPages(executor, scanConditions(scan), SCAN_PAGE_EVENTS, scanBytes)) {
        for (let from = 0; from < events.length; from += SCAN_PAGE_EVENTS) yield events.slice(from, from + SCAN_PAGE_EVENTS)
      }
    },

    async *scanEventHashes({ spanMs, ...scan }) {
      const inScan = scanConditions(scan)
      const span = 'intDiv(toUnixTimestamp64Milli(received_at), {spanMs:UInt64})'
      const { unhurried } = executor
      const spans = await unhurried.select(
        `SELECT ${span} AS span, count(), min(log_offset), max(log_offset) FROM events WHERE ${inScan.sql} GROUP BY span ORDER BY span`,
        { ...inScan.params, spanMs },
      )
      for (const [number = 0, events = 0, first = 0, last = 0] of spans.map((row) => row.map(Number))) {
        const where = { sql: `${inScan.sql} AND ${span} = {span:UInt64}`, params: { ...inScan.params, spanMs, span: number } }
        // Reads by offset, which is cheap to filter on, so that no text of other pages is read and hashed.
        for await (const range of rangesWithin(unhurried, where, { partition: scan.partition, events, first, last }, SCAN_PAGE_HASHES)) {
          const hashes = await unhurried.selectNumbers(
            `SELECT ${EVENT_HASH_SQL} AS hash FROM events WHERE ${where.sql} AND ${range.sql} ORDER BY hash`,
            { ...where.params, ...range.params },
          )
          yield { spanStartMs: (number * spanMs) as InstantMs, hashes }
        }
      }
    },

    async *scanEventPrints(scan) {
      const where = scanConditions(scan)
      for await (const range of offsetRanges(executor, where, SCAN_PAGE_PRINTS)) {
        yield await executor.selectNumbers(
          `SELECT toFloat64(log_offset), toFloat64(log_index), ${EVENT_PRINT_SQL} FROM events
           WHERE ${where.sql} AND ${range.sql} ORDER BY log_offset, log_index`,
          { ...where.params, ...range.params },
        )
      }
    },

    events: (query) => newestEvents(select, query),
  }
}

/** Pages of a scan. The engine itself ends an answer that is too large; then its events are read in smaller pages. */
async function* eventPages(
  executor: ClickHouseExecutor,
  where: Conditions,
  pageEvents: number,
  bytesMax: number,
): AsyncIterable<readonly StoredEvent[]> {
  for await (const range of offsetRanges(executor, where, pageEvents)) {
    const inRange = { sql: `${where.sql} AND ${range.sql}`, params: { ...where.params, ...range.params } }
    // A page of one event is not bounded, as there is nothing smaller.
    const rows = await eventRows(executor, inRange, pageEvents > 1 ? bytesMax : 0)
    if (rows !== null) yield withoutRewrites(rows.map(toStoredEvent))
    else yield* eventPages(executor, whereWithin(where, range), Math.ceil(pageEvents / PARTS_OF_A_PAGE), bytesMax)
  }
}

const PARTS_OF_A_PAGE = 8

/** Null when they are more than this many bytes; 0 for any. */
async function eventRows(
  executor: ClickHouseExecutor,
  { sql, params }: Conditions,
  bytesMax: number,
): Promise<readonly ResultRow[] | null> {
  try {
    return await executor.select(
      `SELECT ${EVENT_FIELDS} FROM events WHERE ${sql} ORDER BY log_partition, log_offset, log_index SETTINGS max_result_bytes = ${bytesMax}`,
      params,
    )
  } catch (error) {
    if (engineErrorCode((error as Error).cause) === TOO_MANY_BYTES) return null
    throw error
  }
}

/** The conditions of a range, with parameters of other names, so that it can be cut again. */
const EVENT_FIELDS = `tenant, customer, toUnixTimestamp64Milli(occurred_at), toUnixTimestamp64Milli(received_at), type, source, id,
  subject, data, attributes, log_partition, log_offset, log_index`

function toStoredEvent(row: ResultRow): StoredEvent {
  const [tenant, customer, occurredAtMs, receivedAtMs, type, source, id, subject, data, attributes, partition, offset, index] = row
  return {
    tenant: String(tenant) as TenantKey,
    customer: String(customer) as CustomerKey,
    occurredAtMs: Number(occurredAtMs) as InstantMs,
    receivedAtMs: Number(receivedAtMs) as InstantMs,
    type: String(type),
    source: String(source),
    id: String(id),
    subject: subject === null ? null : String(subject),
    data: String(data),
    attributes: attributes === null ? null : String(attributes),
    partition: Number(partition) as Partition,
    offset: Number(offset) as Offset,
    index: Number(index),
  }
}

/** Keeps one of each event; events are in order of position. */
function withoutRewrites(events: readonly StoredEvent[]): readonly StoredEvent[] {
  return events.filter((event, at) => {
    const previous = events[at - 1]
    return previous === undefined || !isSamePosition(previous, event)
  })
}

function isSamePosition(a: EventPosition, b: EventPosition): boolean {
  return a.index === b.index && a.offset === b.offset && a.partition === b.partition
}

/**
 * The keys travel as one text parameter that the engine reads as a table: as arrays of 10,000 they took twice as long to parse as
 * the look-up itself. The first two conditions let the engine skip by primary key and by the bloom index on `id`; the third
 * decides. One customer's events share a partition, so the lowest (offset, index) is the first.
 */
const FIND_EVENTS = `
  WITH wanted AS (SELECT * FROM format(TSV, 'tenant String, customer String, source String, id String', {keys:String}))
  SELECT tenant, customer, source, id,
    min((log_offset, log_index)) AS first,
    argMin(log_partition, (log_offset, log_index)),
    toUnixTimestamp64Milli(argMin(received_at, (log_offset, log_index)))
  FROM events
  WHERE (tenant, customer) IN (SELECT tenant, customer FROM wanted)
    AND id IN (SELECT id FROM wanted)
    AND (tenant, customer, source, id) IN (SELECT tenant, customer, source, id FROM wanted)
    AND received_at >= fromUnixTimestamp64Milli({receivedFromMs:Int64}, 'UTC')
  GROUP BY tenant, customer, source, id`

async function findSome(
  executor: ClickHouseExecutor,
  keys: readonly EventKey[],
  receivedFromMs: InstantMs,
  found: Map<EventKey, EventPosition & { receivedAtMs: InstantMs }>,
): Promise<void> {
  const keysByText = new Map<string, EventKey[]>()
  for (const key of keys) {
    const text = textRow([key.tenant, key.customer, key.source, key.id])
    const same = keysByText.get(text)
    if (same === undefined) keysByText.set(text, [key])
    else same.push(key)
  }
  const rows = await executor.select(FIND_EVENTS, { keys: [...keysByText.keys()].join(''), receivedFromMs })
  for (const [tenant, customer, source, id, first, partition, receivedAtMs] of rows) {
    const [offset, index] = first as ResultRow
    const at = {
      partition: Number(partition) as Partition,
      offset: Number(offset) as Offset,
      index: Number(index),
      receivedAtMs: Number(receivedAtMs) as InstantMs,
    }
    for (const key of keysByText.get(textRow([String(tenant), String(customer), String(source), String(id)])) ?? []) found.set(key, at)
  }
}

const NEWEST_FIRST = 'ORDER BY occurred_at DESC, log_partition DESC, log_offset DESC, log_index DESC'

async function newestEvents(select: BoundedSelect, query: EventQuery): Promise<readonly StoredEvent[]> {
  const { limit, bytesMax } = query
  const found: StoredEvent[] = []
  let bytes = 0
  let after = query.after
  for (;;) {
    const where = conditions([
      ['tenant = {tenant:String}', 'tenant', query.tenant],
      ['customer = {customer:String}', 'customer', query.customer],
      ['customer NOT IN {exceptCustomers:Array(String)}', 'exceptCustomers', query.exceptCustomers],
      ['type IN {types:Array(String)}', 'types', query.types],
      ['source = {source:String}', 'source', query.source],
      ['id = {id:String}', 'id', query.id],
      ["occurred_at >= fromUnixTimestamp64Milli({fromMs:Int64}, 'UTC')", 'fromMs', optionalStoredMs(query.fromMs)],
      ["occurred_at < fromUnixTimestamp64Milli({toMs:Int64}, 'UTC')", 'toMs', optionalStoredMs(query.toMs)],
      ["occurred_at <= fromUnixTimestamp64Milli({afterMs:Int64}, 'UTC')", 'afterMs', after?.occurredAtMs],
      [
        `(occurred_at, log_partition, log_offset, log_index)
          < (fromUnixTimestamp64Milli({afterMs:Int64}, 'UTC'), {afterPartition:UInt32}, {afterOffset:UInt64}, {afterIndex:UInt32})`,
        'afterPartition',
        after?.partition,
      ],
    ])
    const params = after === undefined ? where.params : { ...where.params, afterOffset: after.offset, afterIndex: after.index }
    // Cut in the engine itself, so that events beyond the bytes are not even turned into text.
    const rows = await select(
      `SELECT ${EVENT_FIELDS} FROM (
         SELECT *, sum(length(data) + ifNull(length(attributes), 0)) OVER (${NEWEST_FIRST} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
         FROM (SELECT * FROM events WHERE ${where.sql} ${NEWEST_FIRST} LIMIT {limit:UInt64})
       ) WHERE bytes_before < {bytesMax:UInt64} ${NEWEST_FIRST}`,
      { ...params, limit, bytesMax: bytesMax - bytes },
    )
    const read = rows.map(toStoredEvent)
    const isLast = read.length < limit && contentBytes(read) < bytesMax - bytes
    const unique = withoutRewrites(read)
    found.push(...unique)
    bytes += contentBytes(unique)
    const last = found.at(-1)
    // Rewrites that a merge has not yet removed take places and bytes in the answer, so the events that did not fit are asked for.
    if (isLast || found.length >= limit || bytes >= bytesMax || last === undefined) return found.slice(0, limit)
    after = last
  }
}
