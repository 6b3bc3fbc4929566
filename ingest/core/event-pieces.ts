import { isUtf8 } from 'node:buffer'
import { createGrowingBytes } from '../../base/bounds/growing-bytes.ts'
import { type Refusal, RefusalError, refuse } from '../../domain/refusal.ts'
import type { BodyShape } from '../request-body.ts'
import { createArrayPieces, type EventPiece, type EventPieces } from './array-pieces.ts'
import { type JsonParser, rememberSource } from './json-source.ts'
import { EVENT_BYTES_MAX, PIECE_BYTES } from './piece-bounds.ts'
import { UnreadableEvent } from './unreadable-event.ts'

export type WholeShape = Exclude<BodyShape, 'lines'>

/**
 * Cuts a JSON body into pieces while it comes in. Up to 256 KiB it stays whole, which bounds the parser. Beyond, it must be an
 * array, and a scan finds the ends of its events, counts them, and checks that it is JSON, so that a body that is broken or too
 * large at its end is neither parsed nor kept.
 */
export function createEventPieces(options: {
  readonly shape: WholeShape
  readonly eventsMax: number
  /** The length given in the headers; 0 without one. */
  readonly bytesExpected: number
  /** The body is the data of one event: an array is its value, and no list of events. */
  readonly isData?: boolean
}): EventPieces {
  const { shape, eventsMax, isData = false } = options
  const start = createGrowingBytes(Math.min(options.bytesExpected, PIECE_BYTES))
  let array: EventPieces | null = null
  let startBytesMax: number = PIECE_BYTES

  /** The beginning of the body decides how to go on. */
  function goOn(): Refusal | undefined {
    if (startBytesMax === EVENT_BYTES_MAX) return refuse('payload_too_large', { bytes: 'more', bytesMax: EVENT_BYTES_MAX })
    startBytesMax = EVENT_BYTES_MAX
    const bytes = start.takeAll()
    const isArray = !isData && bytes.find((byte) => !BLANKS.includes(byte)) === OPEN_BRACKET
    if (isArray && shape === 'object') return refuse('invalid_json', { why: 'is_array' })
    if (!isArray && shape === 'array') return refuse('invalid_json', { why: 'is_no_array' })
    if (!isArray) return add(bytes)
    array = createArrayPieces(eventsMax)
    return array.add(bytes)
  }

  function add(chunk: Buffer): Refusal | undefined {
    if (array !== null) return array.add(chunk)
    start.put(chunk)
    return start.length() > startBytesMax ? goOn() : undefined
  }

  return {
    add,
    finish() {
      if (array !== null) return array.finish()
      return start.length() === 0 ? refuse('empty_body', {}) : [{ kind: 'body', bytes: start.takeAll() }]
    },
  }
}

const OPEN_BRACKET = 0x5b
const BLANKS: readonly number[] = [0x20, 0x09, 0x0a, 0x0d]

/**
 * The events of a piece, not judged yet; with `attributes`, the body is the data of the one event that has them. Throws a
 * RefusalError when a body that was not scanned is no JSON, or has another shape.
 */
export function eventsOf(
  piece: EventPiece,
  shape: WholeShape,
  attributes: Readonly<Record<string, unknown>> | null = null,
): readonly unknown[] {
  if (piece.kind === 'too_large') return [new UnreadableEvent(refuse('event_too_large', { bytesMax: EVENT_BYTES_MAX }))]
  const { bytes } = piece
  if (piece.kind === 'body' && !isUtf8(bytes)) throw new RefusalError(refuse('invalid_utf8', { part: 'body' }))
  const read = (parse: JsonParser): readonly unknown[] => {
    const value = parsedJson(bytes.toString('utf8'), parse)
    if (attributes !== null) return [{ ...attributes, data: value }]
    if (Array.isArray(value) && piece.kind === 'body' && shape === 'object')
      throw new RefusalError(refuse('invalid_json', { why: 'is_array' }))
    if (Array.isArray(value)) return value
    if (shape === 'array') throw new RefusalError(refuse('invalid_json', { why: 'is_no_array' }))
    return [value]
  }
  return rememberSource(read(JSON.parse), read)
}

function parsedJson(text: string, parse: JsonParser): unknown {
  try {
    return parse(text)
  } catch (error) {
    const message = error instanceof Error ? error.message.slice(0, 200).toWellFormed() : ''
    throw new RefusalError(refuse('invalid_json', { why: 'unparsed', part: 'body', message }))
  }
}
