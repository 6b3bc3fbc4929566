import { refuse } from '../domain/refusal.ts'
import { UnreadableEvent } from './ingest-request.ts'
import { utf8TextOf } from './request-body.ts'

/** Parsed lines in order; one that is no JSON stands there as an `UnreadableEvent`. */
export type LinePiece = { readonly values: readonly unknown[]; readonly bytes: number }

/** Of one line: data and attributes at their largest, written wastefully. */
const LINE_BYTES_MAX = 512 * 1024
const PIECE_BYTES = 256 * 1024

/** Cuts a stream of newline-delimited JSON into pieces of whole lines, so that a long body never stands in memory as a whole. Blank lines count for nothing. */
export async function* linePieces(chunks: AsyncIterable<Buffer>): AsyncGenerator<LinePiece> {
  let pending: Buffer[] = []
  let pendingBytes = 0
  let isSkippingLine = false

  for await (const chunk of chunks) {
    let rest = chunk
    if (isSkippingLine) {
      const end = rest.indexOf(NEWLINE)
      if (end < 0) continue
      isSkippingLine = false
      rest = rest.subarray(end + 1)
    }
    pending.push(rest)
    pendingBytes += rest.length
    if (pendingBytes < PIECE_BYTES) continue
    const bytes = Buffer.concat(pending)
    const end = bytes.lastIndexOf(NEWLINE) + 1
    const tail = bytes.subarray(end)
    if (end > 0) yield pieceOf(bytes.subarray(0, end))
    isSkippingLine = tail.length > LINE_BYTES_MAX
    if (isSkippingLine) yield { values: [lineTooLong()], bytes: 0 }
    // A copy, as the tail would keep the whole piece in memory.
    pending = isSkippingLine || tail.length === 0 ? [] : [Buffer.from(tail)]
    pendingBytes = isSkippingLine ? 0 : tail.length
  }
  if (pendingBytes > 0) yield pieceOf(Buffer.concat(pending))
}

const NEWLINE = 10

function pieceOf(bytes: Buffer): LinePiece {
  const text = utf8TextOf(bytes)
  const values: unknown[] = []
  if (text !== undefined) {
    for (const line of text.split('\n')) if (!isBlank(line)) values.push(parsedLine(line))
  } else {
    // Only some lines may be wrong: each is judged alone.
    for (let from = 0; from < bytes.length; ) {
      const newline = bytes.indexOf(NEWLINE, from)
      const end = newline < 0 ? bytes.length : newline
      const line = utf8TextOf(bytes.subarray(from, end))
      if (line === undefined) values.push(new UnreadableEvent(refuse('invalid_utf8', { part: 'line' })))
      else if (!isBlank(line)) values.push(parsedLine(line))
      from = end + 1
    }
  }
  return { values, bytes: bytes.length }
}

function isBlank(line: string): boolean {
  return line === '' || line === '\r' || line.trim() === ''
}

function parsedLine(line: string): unknown {
  if (line.length > LINE_BYTES_MAX) return lineTooLong()
  try {
    return JSON.parse(line)
  } catch (error) {
    const message = error instanceof Error ? error.message.slice(0, 200).toWellFormed() : ''
    return new UnreadableEvent(refuse('invalid_json', { why: 'unparsed', part: 'line', message }))
  }
}

function lineTooLong(): UnreadableEvent {
  return new UnreadableEvent(refuse('event_too_large', { bytesMax: LINE_BYTES_MAX }))
}
