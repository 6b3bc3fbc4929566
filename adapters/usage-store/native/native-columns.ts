import { invariant } from '../../../base/invariant.ts'

/**
 * Columns of ClickHouse's Native format, the engine's own layout (https://clickhouse.com/docs/interfaces/formats/Native): the
 * engine takes them as they are, where it would parse each value of a row format. Little-endian, like the machines that we run
 * on.
 */
export type NativeColumn = {
  readonly name: string
  /** The type's name in the engine. */
  readonly type: string
  /** The values of all rows, as they stand in the block. */
  finish(): readonly Uint8Array[]
}

/** One block with all rows. Each column has had one value added per row. */
export function nativeBlock(rows: number, columns: readonly NativeColumn[]): Buffer {
  const parts: Uint8Array[] = [varint(columns.length), varint(rows)]
  for (const column of columns) parts.push(lengthAndBytes(column.name), lengthAndBytes(column.type), ...column.finish())
  return Buffer.concat(parts)
}

export type ColumnOf<Value> = NativeColumn & { add(value: Value): void }

/**
 * Strings, each after its length. They are joined as text and encoded some hundred at a time, as encoding each by itself would
 * cost more than its bytes.
 */
export function textColumn(name: string): ColumnOf<string> {
  const done: Uint8Array[] = []
  const values = new Array<string>(SLICE_VALUES).fill('')
  let count = 0
  let text = ''
  /** High bytes among the lengths in `text`: bytes with the high bit set, which as characters take two bytes in UTF-8. */
  let highBytes = 0

  function seal(): void {
    // The text has no other two-byte characters if and only if all values are ASCII.
    const isAscii = Buffer.byteLength(text) === text.length + highBytes
    if (isAscii) done.push(Buffer.from(text, 'latin1'))
    else for (let at = 0; at < count; at++) done.push(lengthAndBytes(values[at] ?? ''))
    text = ''
    count = 0
    highBytes = 0
  }

  return {
    name,
    type: 'String',
    add(value) {
      const { length } = value
      if (length < 0x80) text += (CHARACTERS[length] ?? '') + value
      else {
        const prefix = varint(length)
        text += prefix.toString('latin1') + value
        highBytes += prefix.length - 1
      }
      values[count++] = value
      if (count === SLICE_VALUES || text.length > SLICE_CHARS_MAX) seal()
    },
    finish() {
      if (count > 0) seal()
      return done
    },
  }
}

const SLICE_VALUES = 512
const SLICE_CHARS_MAX = 2 ** 20
const CHARACTERS = Array.from({ length: 0x80 }, (_, code) => String.fromCharCode(code))

/** Strings with few different values: each value once, and for every row the number of its value. */
export function choiceColumn(name: string, rowsMax: number): ColumnOf<string> {
  const numbers = new Map<string, number>()
  const chosen = new Uint32Array(rowsMax)
  const keys = textColumn('')
  let rows = 0
  let last: string | undefined
  let lastNumber = 0

  return {
    name,
    type: 'LowCardinality(String)',
    add(value) {
      if (value !== last) {
        last = value
        lastNumber = numbers.get(value) ?? numbers.size
        if (lastNumber === numbers.size) {
          numbers.set(value, lastNumber)
          keys.add(value)
        }
      }
      chosen[rows++] = lastNumber
    },
    finish() {
      if (rows === 0) return []
      const width = numbers.size <= 2 ** 8 ? 0 : numbers.size <= 2 ** 16 ? 1 : 2
      const indexes = chosen.subarray(0, rows)
      const narrow = width === 0 ? new Uint8Array(indexes) : width === 1 ? new Uint16Array(indexes) : indexes
      return [
        uint64Bytes(KEYS_IN_THE_BLOCK),
        uint64Bytes(width | HAS_KEYS | NEW_DICTIONARY),
        uint64Bytes(numbers.size),
        ...keys.finish(),
        uint64Bytes(rows),
        bytesOf(narrow),
      ]
    },
  }
}

/** From the engine's SerializationLowCardinality: the version, and flags beside the width of the indexes. */
const KEYS_IN_THE_BLOCK = 1
const HAS_KEYS = 1 << 9
const NEW_DICTIONARY = 1 << 10

/** Integers from 0 to 2^32 - 1. `type`: UInt32 or DateTime, which is in seconds. */
export function uint32Column(name: string, rowsMax: number, type = 'UInt32'): ColumnOf<number> {
  const values = new Uint32Array(rowsMax)
  let rows = 0
  return {
    name,
    type,
    add(value) {
      invariant(value >= 0 && value <= 0xffffffff, 'the value fits 32 bits')
      values[rows++] = value
    },
    finish: () => [bytesOf(values.subarray(0, rows))],
  }
}

/** Whole numbers that a float holds exactly. `type`: UInt64, or DateTime64 with its unit. */
export function int64Column(name: string, rowsMax: number, type = 'UInt64'): ColumnOf<number> {
  const halves = new Int32Array(rowsMax * 2)
  let at = 0
  return {
    name,
    type,
    add(value) {
      // Both are taken modulo 2^32, which is two's complement for negative numbers.
      halves[at++] = value
      halves[at++] = Math.floor(value / 2 ** 32)
    },
    finish: () => [bytesOf(halves.subarray(0, at))],
  }
}

/** Decimal(38, 9) from nano units. */
export function quantityColumn(name: string, rowsMax: number): ColumnOf<bigint> {
  const quarters = new Int32Array(rowsMax * 4)
  const wholes = new BigInt64Array(quarters.buffer)
  let rows = 0
  return {
    name,
    type: 'Decimal(38, 9)',
    add(nano) {
      const at = rows++ * 4
      const float = Number(nano)
      if (Number.isSafeInteger(float)) {
        const isNegative = float < 0
        quarters[at] = float
        quarters[at + 1] = Math.floor(float / 2 ** 32)
        quarters[at + 2] = isNegative ? -1 : 0
        quarters[at + 3] = isNegative ? -1 : 0
      } else {
        wholes[at / 2] = nano
        wholes[at / 2 + 1] = nano >> 64n
      }
    },
    finish: () => [bytesOf(quarters.subarray(0, rows * 4))],
  }
}

/** A column that may hold nulls; `filler` is stored in their place. */
export function nullableColumn<Value>(column: ColumnOf<Value>, filler: Value, rowsMax: number): ColumnOf<Value | null> {
  const areNull = new Uint8Array(rowsMax)
  let rows = 0
  return {
    name: column.name,
    type: `Nullable(${column.type})`,
    add(value) {
      if (value === null) areNull[rows] = 1
      rows++
      column.add(value ?? filler)
    },
    finish: () => [areNull.subarray(0, rows), ...column.finish()],
  }
}

export function textListColumn(name: string, rowsMax: number): ColumnOf<readonly string[]> {
  const ends = int64Column('', rowsMax)
  const texts = textColumn('')
  let end = 0
  return {
    name,
    type: 'Array(String)',
    add(values) {
      for (const value of values) texts.add(value)
      end += values.length
      ends.add(end)
    },
    finish: () => [...ends.finish(), ...texts.finish()],
  }
}

/** Names ascending, in whatever order the object has them. */
export function textMapColumn(name: string, rowsMax: number): ColumnOf<Readonly<Record<string, string>>> {
  const ends = int64Column('', rowsMax)
  const keys = textColumn('')
  const values = textColumn('')
  let end = 0
  return {
    name,
    type: 'Map(String, String)',
    add(map) {
      const names = Object.keys(map)
      if (names.length > 1) names.sort()
      for (const key of names) {
        keys.add(key)
        values.add(map[key] ?? '')
      }
      end += names.length
      ends.add(end)
    },
    finish: () => [...ends.finish(), ...keys.finish(), ...values.finish()],
  }
}

function bytesOf(array: Uint8Array | Uint16Array | Uint32Array | Int32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

function uint64Bytes(value: number): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(value)
  return bytes
}

function lengthAndBytes(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([varint(bytes.length), bytes])
}

/** Unsigned LEB128. */
function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
  return Buffer.from(bytes)
}
