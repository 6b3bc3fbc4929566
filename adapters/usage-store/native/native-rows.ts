import { invariant } from '../../../base/invariant.ts'
import type { Flush, MeterActivation, StoredEvent, WindowRow } from '../usage-store.ts'
import {
  type ColumnOf,
  choiceColumn,
  int64Column,
  type NativeColumn,
  nativeBlock,
  nullableColumn,
  quantityColumn,
  textColumn,
  textListColumn,
  textMapColumn,
  uint32Column,
} from './native-columns.ts'

/** Rows for one table, as blocks of ClickHouse's Native format. */
export type NativeRows = { readonly rows: number; readonly columns: readonly string[]; readonly blocks: readonly Buffer[] }

/** Every accepted event passes here once: its text goes from the event to the engine's own layout in one step. */
export function encodeEvents(events: readonly StoredEvent[]): NativeRows {
  const rows = events.length
  const tenant = choiceColumn('tenant', rows)
  const customer = textColumn('customer')
  const occurredAt = int64Column('occurred_at', rows, INSTANT)
  const receivedAt = int64Column('received_at', rows, INSTANT)
  const type = choiceColumn('type', rows)
  const source = choiceColumn('source', rows)
  const id = textColumn('id')
  const subject = nullableColumn(textColumn('subject'), '', rows)
  const data = textColumn('data')
  const attributes = nullableColumn(textColumn('attributes'), '', rows)
  const partition = uint32Column('log_partition', rows)
  const offset = int64Column('log_offset', rows)
  const index = uint32Column('log_index', rows)
  for (const event of events) {
    tenant.add(event.tenant)
    customer.add(event.customer)
    occurredAt.add(event.occurredAtMs)
    receivedAt.add(event.receivedAtMs)
    type.add(event.type)
    source.add(event.source)
    id.add(event.id)
    subject.add(event.subject)
    data.add(event.data)
    attributes.add(event.attributes)
    partition.add(event.partition)
    offset.add(event.offset)
    index.add(event.index)
  }
  const columns = [tenant, customer, occurredAt, receivedAt, type, source, id, subject, data, attributes, partition, offset, index]
  return nativeRows(rows, columns)
}

export function encodeWindows(windows: readonly WindowRow[]): NativeRows {
  const rows = windows.length
  const optionalQuantity = (name: string) => nullableColumn(quantityColumn(name, rows), 0n, rows)
  const tenant = choiceColumn('tenant', rows)
  const meter = choiceColumn('meter', rows)
  const revision = int64Column('revision', rows)
  const customer = textColumn('customer')
  const start = uint32Column('window_start', rows, "DateTime('UTC')")
  const dimensions = textMapColumn('dimensions', rows)
  const events = int64Column('events', rows)
  const sum = quantityColumn('value_sum', rows)
  const min = optionalQuantity('value_min')
  const max = optionalQuantity('value_max')
  const latest = optionalQuantity('value_latest')
  const latestAt = nullableColumn(int64Column('latest_occurred_at', rows, INSTANT), 0, rows)
  const latestOffset = int64Column('latest_log_offset', rows)
  const latestIndex = uint32Column('latest_log_index', rows)
  const unique = textListColumn('unique_values', rows)
  const partition = uint32Column('log_partition', rows)
  const chunk = int64Column('chunk', rows)
  const version = int64Column('version', rows)
  for (const row of windows) {
    const startSeconds = row.windowStartMs / 1000
    invariant(Number.isInteger(startSeconds) && startSeconds % 60 === 0, 'a window starts on a whole minute')
    tenant.add(row.tenant)
    meter.add(row.meter)
    revision.add(row.revision)
    customer.add(row.customer)
    start.add(startSeconds)
    dimensions.add(row.dimensions)
    events.add(row.events)
    sum.add(row.sum)
    min.add(row.min)
    max.add(row.max)
    latest.add(row.latest?.value ?? null)
    latestAt.add(row.latest?.occurredAtMs ?? null)
    latestOffset.add(row.latest?.offset ?? 0)
    latestIndex.add(row.latest?.index ?? 0)
    unique.add(row.unique)
    partition.add(row.partition)
    chunk.add(row.chunk)
    version.add(row.version)
  }
  const which = [tenant, meter, revision, customer, start, dimensions]
  const values = [events, sum, min, max, latest, latestAt, latestOffset, latestIndex, unique]
  return nativeRows(rows, [...which, ...values, partition, chunk, version])
}

export function encodePositions(positions: Flush['positions']): NativeRows {
  const partition = uint32Column('log_partition', positions.length)
  const next = int64Column('next_log_offset', positions.length)
  for (const position of positions) {
    partition.add(position.partition)
    next.add(position.next)
  }
  return nativeRows(positions.length, [partition, next])
}

export function encodeActivations(activations: readonly MeterActivation[]): NativeRows {
  const rows = activations.length
  const tenant = textColumn('tenant')
  const meter = textColumn('meter')
  const revision = int64Column('revision', rows)
  const partition = uint32Column('log_partition', rows)
  const fromOffset = int64Column('from_log_offset', rows)
  const backfilled = uint32Column('backfilled', rows)
  for (const activation of activations) {
    tenant.add(activation.tenant)
    meter.add(activation.meter)
    revision.add(activation.revision)
    partition.add(activation.partition)
    fromOffset.add(activation.fromOffset)
    backfilled.add(activation.backfilled ? 1 : 0)
  }
  return nativeRows(rows, [tenant, meter, revision, partition, fromOffset, backfilled])
}

/** One row of texts. */
export function encodeTexts(values: Readonly<Record<string, string>>): NativeRows {
  const columns = Object.entries(values).map(([name, value]) => {
    const column: ColumnOf<string> = textColumn(name)
    column.add(value)
    return column
  })
  return nativeRows(1, columns)
}

/** Rows of texts, which the engine casts to the types of the table. All have the columns of the first. */
export function encodeTextRows(rows: readonly Readonly<Record<string, string | null>>[]): NativeRows {
  const columns = Object.keys(rows[0] ?? {}).map((name) => {
    const values = rows.map((row) => row[name] ?? null)
    const text = textColumn(name)
    // A column without any null is none of the engine's Nullable, which it does not cast to a plain type.
    const column = values.includes(null) ? nullableColumn(text, '', rows.length) : text
    for (const value of values) (column as ColumnOf<string | null>).add(value)
    return column
  })
  return nativeRows(rows.length, columns)
}

/** Rows of one table, joined in this order. */
export function joinedRows(parts: readonly NativeRows[]): NativeRows {
  return {
    rows: parts.reduce((sum, { rows }) => sum + rows, 0),
    columns: parts[0]?.columns ?? [],
    blocks: parts.flatMap(({ blocks }) => blocks),
  }
}

function nativeRows(rows: number, columns: readonly NativeColumn[]): NativeRows {
  return { rows, columns: columns.map(({ name }) => name), blocks: [nativeBlock(rows, columns)] }
}

const INSTANT = "DateTime64(3, 'UTC')"
