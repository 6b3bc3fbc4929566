import { isUtf8 } from 'node:buffer'
import { createGrowingBytes } from '../base/bounds/growing-bytes.ts'
import { refuse } from '../domain/refusal.ts'
import { type JsonParser, rememberSource } from './core/json-source.ts'
import { EVENT_BYTES_MAX, PIECE_BYTES } from './core/piece-bounds.ts'
import { UnreadableEvent } from './core/unreadable-event.ts'

/** Parsed lines in order; a line that is no JSON is an `UnreadableEvent`. */
export type LinePiece = { readonly values: readonly unknown[]; readonly bytes: number }

/** Room for the bytes of lines: taken at once, or waited for; throws when there is none for long. */
export type LineRoom = { tryHold(bytes: number): boolean; hold(bytes: number): Promise<void> }

/**
 * Cuts a stream of newline-delimited JSON into pieces of whole lines, so that a long body is never in memory as a whole. Blank
 * lines are skipped. Room is taken before bytes are kept; the consumer of a piece gives its room back.
 */
export async function* linePieces(chunks: AsyncIterable<Buffer>, room: LineRoom): AsyncGenerator<LinePiece> {
  const pending = createGrowingBytes(0)
  let isSkippingLine = false

  function* cut(): Generator<LinePiece> {
    const bytes = pending.takeAll()
    const end = bytes.lastIndexOf(NEWLINE) + 1
    const tail = bytes.subarray(end)
    if (end > 0) yield pieceOf(bytes.subarray(0, end))
    isSkippingLine = tail.length > EVENT_BYTES_MAX
    if (isSkippingLine) yield { values: [lineTooLong()], bytes: tail.length }
    // A copy, as the tail would keep the whole piece in memory.
    else pending.put(Buffer.from(tail))
  }

  for await (const chunk of chunks) {
    let rest = chunk
    if (isSkippingLine) {
      const end = rest.indexOf(NEWLINE)
      if (end < 0) continue
      isSkippingLine = false
      rest = rest.subarray(end + 1)
    }
    if (!room.tryHold(rest.length)) {
      // Whole lines go on first: their room comes back when they are durable.
      yield* cut()
      await room.hold(rest.length)
    }
    pending.put(rest)
    if (pending.length() >= PIECE_BYTES) yield* cut()
  }
  if (pending.length() > 0) yield pieceOf(pending.takeAll())
}

const NEWLINE = 10

function pieceOf(bytes: Buffer): LinePiece {
  const read = (parse: JsonParser) => valuesOf(bytes, parse)
  return { values: rememberSource(read(JSON.parse), read), bytes: bytes.length }
}

function valuesOf(bytes: Buffer, parse: JsonParser): readonly unknown[] {
  const text = utf8TextOf(bytes)
  const values: unknown[] = []
  if (text !== undefined) {
    for (const line of text.split('\n')) if (!isBlank(line)) values.push(parsedLine(line, parse))
  } else {
    // Only some lines may be wrong, so each is judged alone.
    for (let from = 0; from < bytes.length; ) {
      const newline = bytes.indexOf(NEWLINE, from)
      const end = newline < 0 ? bytes.length : newline
      const line = utf8TextOf(bytes.subarray(from, end))
      if (line === undefined) values.push(new UnreadableEvent(refuse('invalid_utf8', { part: 'line' })))
      else if (!isBlank(line)) values.push(parsedLine(line, parse))
      from = end + 1
    }
  }
  return values
}

/** The text of bytes that must be UTF-8; undefined when they are not. */
function utf8TextOf(bytes: Buffer): string | undefined {
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined
}

function isBlank(line: string): boolean {
  return line === '' || line === '\r' || line.trim() === ''
}

function parsedLine(line: string, parse: JsonParser): unknown {
  if (line.length > EVENT_BYTES_MAX) return lineTooLong()
  try {
    return parse(line)
  } catch (error) {
    const message = error instanceof Error ? error.message.slice(0, 200).toWellFormed() : ''
    return new UnreadableEvent(refuse('invalid_json', { why: 'unparsed', part: 'line', message }))
  }
}

function lineTooLong(): UnreadableEvent {
  return new UnreadableEvent(refuse('event_too_large', { bytesMax: EVENT_BYTES_MAX }))
}
