import type { CustomerKey, InstantMs, MeterKey, Offset, Partition, Period, TenantKey } from '../../domain/identity.ts'
import type { Aggregation } from '../../domain/metering/meter.ts'
import type { Aggregate } from '../../domain/metering/metering.ts'
import type { UsageEvent } from '../../domain/metering/usage-event.ts'
import type { WindowRun } from '../../domain/time/calendar-windows.ts'

/** Place of an event: `index` counts within its record. Order of the log = order of (offset, index) in one partition. */
export type EventPosition = { readonly partition: Partition; readonly offset: Offset; readonly index: number }

export type StoredEvent = UsageEvent & EventPosition & { readonly tenant: TenantKey; readonly receivedAtMs: InstantMs }

/**
 * A window's own total for one chunk of one partition. It may be written again, first in part and then in full: the highest
 * `version` (last offset folded in) wins. All quantities are bigints in nano units (1 unit = 1_000_000_000).
 */
export type WindowRow = {
  readonly tenant: TenantKey
  readonly meter: MeterKey
  readonly revision: number
  readonly customer: CustomerKey
  /** Start of the minute of event time. */
  readonly windowStartMs: InstantMs
  /** Dimension names to values, names ascending; an event without the property has ''. */
  readonly dimensions: Readonly<Record<string, string>>
  readonly partition: Partition
  /** Chunk number; rows of a backfill use `BACKFILL_CHUNK_BASE + chunk` and so never collide with live ones. */
  readonly chunk: number
  readonly version: Offset
  readonly events: number
  readonly sum: bigint
  /** Null where the aggregation has none (count, unique). */
  readonly min: bigint | null
  readonly max: bigint | null
  /** The value of the event that is latest in event time, then in the log; null where the aggregation has none. */
  readonly latest: { readonly value: bigint; readonly occurredAtMs: InstantMs; readonly offset: Offset; readonly index: number } | null
  readonly unique: readonly string[]
}

/** The key of a window of a meter revision; dimension names ascending. */
export type WindowKey = Pick<WindowRow, 'tenant' | 'meter' | 'revision' | 'customer' | 'windowStartMs' | 'dimensions'>

export type MeterRevision = Pick<WindowRow, 'tenant' | 'meter' | 'revision'>

/** One customer's day of event time, as `seriesDay`: combinations of dimensions are bounded for each. */
export type SeriesDay = MeterRevision & Pick<WindowRow, 'customer'> & { readonly day: number }

export const BACKFILL_CHUNK_BASE = 2 ** 48

/** Event times end here, in 2106, as seconds since 1970 have 32 bits. */
export const DATE_TIME_END_MS = 2 ** 32 * 1000

/** The nearest instant that an event can be stored under: a bound outside of all of them means the same. */
export function storedInstantMs(instantMs: number): InstantMs {
  return Math.max(0, Math.min(instantMs, DATE_TIME_END_MS)) as InstantMs
}

/** Events encoded for the store; only the store that encoded them can read them. */
export type EncodedEvents = { readonly rows: number }

/** Written in this order: events, windows, positions. A crash in between leaves rows that the replay writes again, the same. */
export type Flush = {
  readonly events: readonly StoredEvent[]
  /** More events, encoded before by `encodeEvents`. */
  readonly encodedEvents?: readonly EncodedEvents[]
  readonly windows: readonly WindowRow[]
  /** Next offset to read, per partition in this flush. */
  readonly positions: readonly { readonly partition: Partition; readonly next: Offset }[]
}

/** The number of events, encoded or not. */
export function eventsIn({ events, encodedEvents = [] }: Flush): number {
  return encodedEvents.reduce((sum, { rows }) => sum + rows, events.length)
}

export type EventKey = { readonly tenant: TenantKey; readonly customer: CustomerKey; readonly source: string; readonly id: string }

/**
 * From `fromOffset` on the fold counts this meter revision in this partition; earlier records are backfilled from `events`.
 * Written before the first window row of the revision, and never changed but for `backfilled`.
 */
export type MeterActivation = {
  readonly tenant: TenantKey
  readonly meter: MeterKey
  readonly revision: number
  readonly partition: Partition
  readonly fromOffset: Offset
  readonly backfilled: boolean
}

/** `fromMs` and `toMs` are whole minutes; half-open. */
/** Customers to leave out, such as adopted ones, whose events stand under their adopter too. */
type ExceptCustomers = { readonly exceptCustomers?: readonly CustomerKey[] }

export type UsageQuery = ExceptCustomers & {
  readonly tenant: TenantKey
  readonly meter: MeterKey
  readonly revision: number
  /** The meter's aggregation: only its columns are read, the others are 0, null and empty. All columns when undefined. */
  readonly aggregation?: Aggregation
  /** Any of these customers; all when undefined. */
  readonly customers?: readonly CustomerKey[]
  readonly fromMs: InstantMs
  readonly toMs: InstantMs
  /** Calendar windows that cover the requested time, as instants, as the store knows no zones. Undefined: one row per group. */
  readonly windows?: readonly WindowRun[]
  /** 'customer' or a dimension of the meter. */
  readonly groupBy: readonly string[]
  readonly filter: Readonly<Record<string, readonly string[]>>
  /** Rows at most; one more is refused with `too_many_rows`. */
  readonly rowsMax: number
  /** Then up to `rowsMax + 1` rows behind a place are answered, and none is refused: the last one says that there are more. */
  readonly page?: UsagePage
}

/** `after` null: from the first row on. */
export type UsagePage = { readonly after: UsagePlace | null }

/** Where a row stands in the order of answers: by window, then by the values of `groupBy` in its order, as bytes. */
export type UsagePlace = { readonly windowStartMs: InstantMs | null; readonly groups: readonly string[] }

/** Merged over chunks. `windowStartMs` is null when the query had no windows. */
export type UsageRow = {
  readonly windowStartMs: InstantMs | null
  readonly customer: CustomerKey | null
  readonly dimensions: Readonly<Record<string, string>>
  readonly events: number
  readonly sum: bigint
  readonly min: bigint | null
  readonly max: bigint | null
  readonly latest: bigint | null
  readonly latestAtMs: InstantMs | null
  /** Orders two `latest` of the same instant: the later one in the log has the greater (offset, index). */
  readonly latestOffset: Offset | null
  readonly latestIndex: number | null
  readonly unique: readonly string[]
}

/** The row as an aggregate, which events can be added to. */
export function aggregateOfRow(row: UsageRow): Aggregate {
  const { events, sum, min, max, latest, latestAtMs, latestOffset, latestIndex, unique } = row
  const hasLatest = latest !== null && latestAtMs !== null && latestOffset !== null && latestIndex !== null
  return {
    events,
    sum,
    min,
    max,
    latest: hasLatest ? { value: latest, occurredAtMs: latestAtMs, offset: latestOffset, index: latestIndex } : null,
    unique,
  }
}

/** Totals of a meter for many customers, each over its own periods, to the millisecond, and as of a place in the log. */
export type CustomerUsageQuery = Pick<UsageQuery, 'tenant' | 'meter' | 'revision' | 'aggregation' | 'filter'> & {
  /** Ascending, without overlap: an instant lies in at most one of a customer's periods. */
  readonly periods: ReadonlyMap<CustomerKey, readonly Period[]>
  /** Dimensions of the meter. */
  readonly groupBy: readonly string[]
  /**
   * Counts only records below the offset of their partition, and nothing in a partition without one. The store's position has
   * passed each. Undefined: everything stored.
   */
  readonly cutOffs?: CutOffs | undefined
  /** Rows at most, of all customers together. */
  readonly rowsMax: number
}

/** By partition, the first offset that no longer counts. */
export type CutOffs = ReadonlyMap<Partition, Offset>

/**
 * Usage of a group in one of these parts of time, which the events of the other two decide:
 * - the whole minutes of a period: `cutMinuteMs` and `beyond` are null, and only then the totals count;
 * - a minute that a period cuts: `cutMinuteMs`;
 * - a window that holds events beyond its cut-off: `beyond`.
 */
export type CustomerUsageRow = UsageRow & {
  readonly customer: CustomerKey
  /** The last period to begin before the end of the minute. */
  readonly periodStartMs: InstantMs
  readonly cutMinuteMs: InstantMs | null
  readonly beyond: WindowBeyond | null
  /**
   * Usage beyond `seriesMax`, of which the windows do not say whether it passes the filter and which group it belongs to; it is
   * answered whatever the filter. Never in a query without filter and groups.
   */
  readonly isOther: boolean
}

/** A window of the chunk that a cut-off lies in, folded beyond the cut-off. `isBackfilled` comes from its chunk. */
export type WindowBeyond = Pick<WindowRow, 'windowStartMs' | 'dimensions' | 'partition'> & { readonly isBackfilled: boolean }

export type EventQuery = ExceptCustomers & {
  readonly tenant: TenantKey
  readonly customer?: CustomerKey
  /** Any of these types; all when undefined. */
  readonly types?: readonly string[]
  readonly source?: string
  readonly fromMs?: InstantMs
  readonly toMs?: InstantMs
  readonly id?: string
  readonly limit: number
  /** Bound on the content (`contentBytes`): the event that reaches it is the last of the answer, so that there is always one. */
  readonly bytesMax: number
  /** Only events that sort after this one in newest-first order. */
  readonly after?: { readonly occurredAtMs: InstantMs } & EventPosition
}

export type EventScan = ExceptCustomers & {
  readonly tenant?: TenantKey
  /** Any of these types; all when undefined. */
  readonly types?: readonly string[]
  readonly customers?: readonly CustomerKey[]
  /** Only events of these customers in these minutes of event time. */
  readonly minutes?: readonly { readonly customer: CustomerKey; readonly startMs: InstantMs }[]
  readonly partition?: Partition
  /** Half-open bounds on event time. */
  readonly fromMs?: InstantMs
  readonly toMs?: InstantMs
  /** Customer keys after the first and up to the second, in the order of their bytes. */
  readonly afterCustomer?: CustomerKey
  readonly toCustomer?: CustomerKey
  /** Half-open bounds on the offset; need `partition`. */
  readonly fromOffset?: Offset
  readonly toOffset?: Offset
  /** Any of these offsets; need `partition`. */
  readonly offsets?: readonly Offset[]
  readonly receivedFromMs?: InstantMs
}

/**
 * Some customers, or some hours of one: windows as stored (latest version of each row, all chunks, every revision), and the
 * events, read after them. All events of a window are in its slice.
 */
export type VerifySlice = { readonly windows: readonly WindowRow[]; readonly events: AsyncIterable<readonly StoredEvent[]> }

/**
 * Accepted events and usage windows, queryable by analysts. All writes are idempotent. Errors are `Fault`s:
 * `usage_store_unavailable` (canRetry), `usage_store_rejected` (a bug of ours or a schema that does not fit).
 */
export type UsageStore = {
  readonly analystTables: AnalystTables
  /** Creates or migrates the schema and checks the chunk size of the store against ours. */
  migrate(): Promise<void>
  /** Offsets per chunk, fixed when the store is created. Known after `migrate`. */
  chunkRecords(): number
  /** Next offset to read, by partition; a partition never flushed is absent. */
  positions(): Promise<ReadonlyMap<Partition, Offset>>
  /** Encodes events ahead of the flush that writes them: as bytes they take a fifth of the memory, and no garbage collection traces them. */
  encodeEvents(events: readonly StoredEvent[]): EncodedEvents
  write(flush: Flush, signal?: AbortSignal): Promise<void>
  /** Removes events that the log does not have: for a replay from the log only. No reader sees them once it resolves. */
  removeEvents(partition: Partition, places: readonly Pick<EventPosition, 'offset' | 'index'>[]): Promise<void>
  /**
   * The lowest position of each of these keys among events received at or after `receivedFromMs`; unknown keys are absent from
   * the result. `key` is the very object passed in.
   */
  findEvents(
    keys: readonly EventKey[],
    receivedFromMs: InstantMs,
  ): Promise<ReadonlyMap<EventKey, EventPosition & { readonly receivedAtMs: InstantMs }>>
  /** Every stored event once (rewrites hidden), in arrays of bounded size, ordered by (partition, offset, index). */
  scanEvents(scan: EventScan): AsyncIterable<readonly StoredEvent[]>
  /**
   * `eventHash` of stored events, for rebuilding the dedupe filter: ascending, in arrays of bounded size, each of one span of
   * time of receipt, which begins at a whole multiple of `spanMs`. Rewrites may appear twice.
   */
  scanEventHashes(scan: {
    readonly partition: Partition
    readonly toOffset: Offset
    readonly receivedFromMs: InstantMs
    readonly spanMs: number
  }): AsyncIterable<{ readonly spanStartMs: InstantMs; readonly hashes: Float64Array }>
  /**
   * `eventPrint` of stored events: offset, index and print of each event in turn, in the order of the log, in arrays of bounded
   * size. Rewrites may appear twice.
   */
  scanEventPrints(scan: {
    readonly partition: Partition
    readonly fromOffset: Offset
    readonly toOffset: Offset
  }): AsyncIterable<Float64Array>
  /** Newest first by event time, then position; rewrites hidden. Throws the refusals `read_too_slow` and `read_too_large`. */
  events(query: EventQuery): Promise<readonly StoredEvent[]>
  /** Throws the refusals `too_many_rows`, `read_too_slow` and `read_too_large`. */
  usage(query: UsageQuery): Promise<readonly UsageRow[]>
  /** The rows of one chunk for these windows, each in its highest version; none for a window that the chunk does not have. */
  windowRows(chunk: Pick<WindowRow, 'partition' | 'chunk'>, keys: readonly WindowKey[]): Promise<readonly WindowRow[]>
  /**
   * `seriesHash` of the combinations of dimensions in the windows of these days that the live fold of a partition has written, or
   * its backfills; each once, in any order. The key is the very object passed in; a day without windows is absent.
   */
  seriesOfDays(
    fold: { readonly partition: Partition; readonly isBackfilled: boolean },
    days: readonly SeriesDay[],
  ): Promise<ReadonlyMap<SeriesDay, readonly number[]>>
  /** The same for each meter revision as a whole, over all partitions; null for one that has more than `seriesMax`, or too many windows to read all. */
  seriesOfMeters(meters: readonly MeterRevision[], isBackfilled: boolean, seriesMax: number): Promise<readonly (readonly number[] | null)[]>
  /** By customer, period and group; a customer without usage has no row. Null when there are more than `rowsMax`. */
  usageOfCustomers(query: CustomerUsageQuery): Promise<readonly CustomerUsageRow[] | null>
  /** All windows of a partition with all its events, for verify, in adjoining slices of bounded size. */
  scanSlices(scan: { readonly partition: Partition; readonly tenant?: TenantKey }): AsyncIterable<VerifySlice>
  activations(): Promise<readonly MeterActivation[]>
  putActivations(activations: readonly MeterActivation[]): Promise<void>
  /** Drops windows and activations of a meter's revisions below `beforeRevision` (all of them for a deleted meter). */
  dropWindows(tenant: TenantKey, meter: MeterKey, beforeRevision: number): Promise<void>
  /** One statement that reads, for `tollgate verify`, the demo and tests: rows as objects, 64-bit and wider numbers as strings. */
  query(sql: string, params?: Readonly<Record<string, unknown>>): Promise<readonly Readonly<Record<string, unknown>>[]>
  /**
   * Copies the whole store into a directory, as after a kill at one moment, while it goes on; a store can be opened there. Absent where a
   * server keeps the data.
   */
  snapshot?(directory: string): Promise<void>
  ping(): Promise<void>
  stop(): Promise<void>
}

/** Tables of the book and the catalog for analysts, replaced by version. Only copies stand in them. */
export type AnalystTables = {
  /** Columns as texts that the engine parses; all rows of a call have the same. A row of a greater `version` replaces one of a smaller. */
  write(table: AnalystTable, rows: readonly Readonly<Record<string, string | null>>[]): Promise<void>
  /** Removes all rows of all of them. */
  empty(): Promise<void>
}

export const ANALYST_TABLES = [
  ...(['book_invoices', 'book_lines', 'book_entries'] as const),
  ...(['catalog_customers', 'catalog_plans', 'catalog_subscriptions'] as const),
]
export type AnalystTable = (typeof ANALYST_TABLES)[number]
