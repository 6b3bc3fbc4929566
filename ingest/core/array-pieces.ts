import { isUtf8 } from 'node:buffer'
import { createGrowingBytes } from '../../base/bounds/growing-bytes.ts'
import { unreachable } from '../../base/invariant.ts'
import { createJsonScan, type JsonScanDefect } from '../../base/json-scan.ts'
import { type Outcome, type Refusal, refuse } from '../../domain/refusal.ts'
import { DEPTH_MAX, EVENT_BYTES_MAX, PIECE_BYTES, SCAN_BYTES } from './piece-bounds.ts'

/** A part of a JSON body that is parsed at once. A part that is too large to be an event is not kept. */
export type EventPiece =
  | { readonly kind: 'body'; readonly bytes: Buffer }
  | { readonly kind: 'items'; readonly bytes: Buffer }
  | { readonly kind: 'too_large' }

export type EventPieces = {
  /** Takes the next bytes of the body; after a refusal it takes no more. */
  add(chunk: Buffer): Refusal | undefined
  /** The pieces in order, when they are one whole JSON value; otherwise the refusal. */
  finish(): Outcome<readonly EventPiece[]>
}

/**
 * Cuts a JSON array into pieces of whole events while it comes in. A scan finds the ends of its events, counts them, and checks
 * that it is JSON; the pieces are handed out only once it was valid to its end.
 */
export function createArrayPieces(eventsMax: number): EventPieces {
  const scan = createJsonScan({ depthMax: DEPTH_MAX, valuesMax: Number.POSITIVE_INFINITY })
  const pieces: EventPiece[] = []
  const open = createGrowingBytes(PIECE_BYTES + SCAN_BYTES)
  let events = 0
  let isBegun = false
  let isEnded = false
  let isUtf8Broken = false
  /** Length of the whole events in the open piece. */
  let wholeBytes = 0
  /** Length of the present event so far, and whether it is too long to keep. */
  let eventBytes = 0
  let isSkipping = false

  function closePiece(): void {
    if (wholeBytes > 0) {
      open.truncate(wholeBytes)
      open.put(CLOSE)
      const bytes = open.takeAll()
      if (!isUtf8(bytes)) isUtf8Broken = true
      pieces.push({ kind: 'items', bytes })
    }
    open.truncate(0)
    open.put(OPEN)
    wholeBytes = 0
  }

  function skipEvent(): void {
    closePiece()
    isSkipping = true
  }

  /** At most 64 KiB, so that an event that grows too large began in an earlier part. */
  function addPart(part: Buffer): Refusal | undefined {
    let from = 0
    if (!isBegun) {
      from = part.indexOf(OPEN_BRACKET) + 1
      isBegun = true
      open.put(OPEN)
    }
    let eventFrom = from
    const defect = scan.take(part, (at) => {
      events++
      eventBytes += at - eventFrom
      isEnded = part[at] === CLOSE_BRACKET
      if (!isSkipping && eventBytes > EVENT_BYTES_MAX) skipEvent()
      if (isSkipping) {
        pieces.push({ kind: 'too_large' })
        isSkipping = false
        from = at + 1
      } else {
        wholeBytes = open.length() + at - from
        if (isEnded || wholeBytes >= PIECE_BYTES) {
          open.put(part.subarray(from, at))
          closePiece()
          from = at + 1
        }
      }
      eventBytes = 0
      eventFrom = at + 1
    })
    if (events > eventsMax) return refuse('too_many_events', { eventsMax })
    if (defect !== undefined) return refusalOf(defect)
    if (isSkipping || isEnded) return undefined
    open.put(part.subarray(from))
    eventBytes += part.length - eventFrom
    if (eventBytes > EVENT_BYTES_MAX) skipEvent()
    return undefined
  }

  return {
    add(chunk) {
      for (let at = 0; at < chunk.length; at += SCAN_BYTES) {
        const refusal = addPart(chunk.subarray(at, at + SCAN_BYTES))
        if (refusal !== undefined) return refusal
      }
      return undefined
    },
    finish() {
      const defect = scan.end()
      if (defect !== undefined) return refusalOf(defect)
      closePiece()
      return isUtf8Broken ? refuse('invalid_utf8', { part: 'body' }) : pieces
    },
  }
}

const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN = Buffer.from('[')
const CLOSE = Buffer.from(']')

function refusalOf(defect: JsonScanDefect): Refusal {
  switch (defect.kind) {
    case 'malformed': {
      const where = defect.at === null ? 'Unexpected end' : `Unexpected byte at position ${defect.at}`
      return refuse('invalid_json', { why: 'unparsed', part: 'body', message: where })
    }
    case 'too_deep':
    case 'too_many_values':
      return refuse('body_too_deep', { levelsMax: DEPTH_MAX })
    default:
      return unreachable(defect)
  }
}
