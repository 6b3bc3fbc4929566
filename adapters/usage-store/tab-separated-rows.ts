import { formatQuantity, NANO } from '../../domain/decimal.ts'
import { invariant } from '../../domain/invariant.ts'
import type { MeterActivation, StoredEvent, WindowRow } from './usage-store.ts'

/**
 * Rows in ClickHouse's TabSeparated format, written by hand: every accepted event passes here once, and objects or JSON
 * per row would cost more than all the rest of the write. Text rather than RowBinary because chDB takes bytes unchanged
 * only for text formats; the engine reads both equally fast.
 */
export function encodeEvents(events: readonly StoredEvent[]): Buffer {
  const { ofInstant: instantText } = createInstantText()
  return encodeInSlices(events, (event) => {
    const subject = event.subject === null ? '\\N' : escapeText(event.subject)
    const attributes = event.attributes === null ? '\\N' : escapeText(event.attributes)
    return (
      `${escapeText(event.tenant)}\t${escapeText(event.customer)}\t${instantText(event.occurredAtMs)}\t${instantText(event.receivedAtMs)}\t` +
      `${escapeText(event.type)}\t${escapeText(event.source)}\t${escapeText(event.id)}\t${subject}\t${escapeText(event.data)}\t${attributes}\t` +
      `${event.partition}\t${event.offset}\t${event.index}\n`
    )
  })
}

export const EVENT_COLUMNS = [
  'tenant',
  'customer',
  'occurred_at',
  'received_at',
  'type',
  'source',
  'id',
  'subject',
  'data',
  'attributes',
  'log_partition',
  'log_offset',
  'log_index',
] as const

export function encodeWindows(windows: readonly WindowRow[]): Buffer {
  const { ofInstant: instantText, ofSecond: secondText } = createInstantText()
  return encodeInSlices(windows, (row) => {
    const { latest } = row
    const latestText =
      latest === null
        ? '\\N\t\\N\t0\t0'
        : `${quantityText(latest.value)}\t${instantText(latest.occurredAtMs)}\t${latest.offset}\t${latest.index}`
    const startSeconds = row.windowStartMs / 1000
    invariant(Number.isInteger(startSeconds) && startSeconds % 60 === 0, 'a window starts on a whole minute')
    return (
      `${escapeText(row.tenant)}\t${escapeText(row.meter)}\t${row.revision}\t${escapeText(row.customer)}\t` +
      `${secondText(startSeconds)}\t${mapText(row.dimensions)}\t${row.events}\t` +
      `${quantityText(row.sum)}\t${optionalQuantity(row.min)}\t${optionalQuantity(row.max)}\t${latestText}\t` +
      `${arrayText(row.unique)}\t${row.partition}\t${row.chunk}\t${row.version}\n`
    )
  })
}

export const WINDOW_COLUMNS = [
  'tenant',
  'meter',
  'revision',
  'customer',
  'window_start',
  'dimensions',
  'events',
  'value_sum',
  'value_min',
  'value_max',
  'value_latest',
  'latest_occurred_at',
  'latest_log_offset',
  'latest_log_index',
  'unique_values',
  'log_partition',
  'chunk',
  'version',
] as const

export function encodeActivations(activations: readonly MeterActivation[]): Buffer {
  return encodeInSlices(
    activations,
    (row) =>
      `${escapeText(row.tenant)}\t${escapeText(row.meter)}\t${row.revision}\t${row.partition}\t${row.fromOffset}\t${row.backfilled ? 1 : 0}\n`,
  )
}

export const ACTIVATION_COLUMNS = ['tenant', 'meter', 'revision', 'log_partition', 'from_log_offset', 'backfilled'] as const

export function encodePositions(positions: readonly { readonly partition: number; readonly next: number }[]): Buffer {
  return encodeInSlices(positions, ({ partition, next }) => `${partition}\t${next}\n`)
}

export const POSITION_COLUMNS = ['log_partition', 'next_log_offset'] as const

/** One row of text fields. */
export function textRow(fields: readonly string[]): string {
  return `${fields.map(escapeText).join('\t')}\n`
}

/** Rows per slice: short enough that V8 keeps building it in the young generation. */
const SLICE_ROWS = 512

function encodeInSlices<Row>(rows: readonly Row[], encode: (row: Row) => string): Buffer {
  const slices: Buffer[] = []
  let text = ''
  let inSlice = 0
  for (const row of rows) {
    text += encode(row)
    if (++inSlice === SLICE_ROWS) {
      slices.push(Buffer.from(text))
      text = ''
      inSlice = 0
    }
  }
  if (text !== '') slices.push(Buffer.from(text))
  return Buffer.concat(slices)
}

const SPECIAL = /[\0\t\n\r\\]/
const SPECIALS = /[\0\t\n\r\\]/g
const ESCAPES: Readonly<Record<string, string>> = { '\0': '\\0', '\t': '\\t', '\n': '\\n', '\r': '\\r', '\\': '\\\\', "'": "\\'" }

function escapeText(text: string): string {
  return SPECIAL.test(text) ? text.replace(SPECIALS, escapeOne) : text
}

function escapeOne(character: string): string {
  return ESCAPES[character] ?? character
}

const QUOTED_SPECIALS = /[\0\t\n\r\\']/g

function quotedText(text: string): string {
  return `'${text.replace(QUOTED_SPECIALS, escapeOne)}'`
}

/** Names ascending, whatever order the object has them in: the map is part of the row's key. */
function mapText(map: Readonly<Record<string, string>>): string {
  const names = Object.keys(map)
  if (names.length > 1) names.sort()
  return `{${names.map((name) => `${quotedText(name)}:${quotedText(map[name] ?? '')}`).join(',')}}`
}

function arrayText(values: readonly string[]): string {
  return values.length === 0 ? '[]' : `[${values.map(quotedText).join(',')}]`
}

function optionalQuantity(value: bigint | null): string {
  return value === null ? '\\N' : quantityText(value)
}

/** Length of `1969-12-31 23:59:59`. */
const CALENDAR_DIGITS = 19

/**
 * `1700158623.979`: seconds since 1970, which the engine reads twice as fast as a date; only those of ten digits, as it
 * takes eight for a date. Events of one flush share a few hundred seconds, and writing one out costs more than the rest
 * of the row, so each is kept in the slot of its last bits.
 */
function createInstantText(): { readonly ofInstant: (instantMs: number) => string; readonly ofSecond: (second: number) => string } {
  const knownSeconds = new Float64Array(SECOND_SLOTS).fill(Number.NaN)
  const secondTexts = new Array<string>(SECOND_SLOTS).fill('')

  function ofSecond(second: number): string {
    const slot = second & (SECOND_SLOTS - 1)
    if (knownSeconds[slot] === second) return secondTexts[slot] ?? ''
    const hasTenDigits = second >= 1_000_000_000 && second <= 9_999_999_999
    const text = hasTenDigits ? String(second) : new Date(second * 1000).toISOString().slice(0, CALENDAR_DIGITS).replace('T', ' ')
    knownSeconds[slot] = second
    secondTexts[slot] = text
    return text
  }

  return {
    ofSecond,
    ofInstant(instantMs) {
      const second = Math.floor(instantMs / 1000)
      const milliseconds = instantMs - second * 1000
      return `${ofSecond(second)}.${milliseconds < 10 ? '00' : milliseconds < 100 ? '0' : ''}${milliseconds}`
    },
  }
}

const SECOND_SLOTS = 1024

/** Most quantities are whole units and fit a float exactly, which divides faster than a bigint. */
function quantityText(nano: bigint): string {
  const float = Number(nano)
  if (Number.isSafeInteger(float) && float % NANO_PER_UNIT === 0) return String(float / NANO_PER_UNIT)
  return formatQuantity(nano)
}

const NANO_PER_UNIT = Number(NANO)
