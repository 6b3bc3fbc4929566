import { describe, expect, test } from 'vitest'
import { isRefusal, RefusalError } from '../../domain/refusal.ts'
import { createEventPieces, eventsOf, type WholeShape } from './event-pieces.ts'
import { EVENT_BYTES_MAX, PIECE_BYTES } from './piece-bounds.ts'

const KiB = 1024

/** The events of a body that comes in chunks, or the code that refuses it and the number of bytes taken until then. */
function received(body: string | Buffer, { chunkBytes = 50_000, eventsMax = 100_000, shape = 'object_or_array' as WholeShape } = {}) {
  const bytes = Buffer.from(body)
  const pieces = createEventPieces({ shape, eventsMax, bytesExpected: 0 })
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const refusal = pieces.add(bytes.subarray(at, at + chunkBytes))
    if (refusal !== undefined) return { code: refusal.code, takenBytes: at + chunkBytes }
  }
  const whole = pieces.finish()
  if (isRefusal(whole)) return { code: whole.code, takenBytes: bytes.length }
  try {
    return {
      events: whole.flatMap((piece) => eventsOf(piece, shape)),
      pieceBytes: whole.map((piece) => ('bytes' in piece ? piece.bytes.length : 0)),
    }
  } catch (error) {
    if (error instanceof RefusalError) return { code: error.refusal.code, takenBytes: bytes.length }
    throw error
  }
}

const eventOf = (n: number, textChars = n % 900) => ({ id: `e-${n}`, data: { text: `é💡],{"\\`.padEnd(textChars, 'x'), list: [[n], {}] } })
const manyEvents = Array.from({ length: 2_500 }, (_, n) => eventOf(n))

test.each([
  { name: 'small', json: JSON.stringify(manyEvents.slice(0, 9)), is: manyEvents.slice(0, 9) },
  { name: 'large', json: JSON.stringify(manyEvents), is: manyEvents },
  { name: 'large and spaced', json: ` \n${JSON.stringify(manyEvents, null, 3)}\r\n\t`, is: manyEvents },
  { name: 'of one large event', json: `[${JSON.stringify(eventOf(1, 500 * KiB))}]`, is: [eventOf(1, 500 * KiB)] },
  { name: 'of nothing', json: `[${' '.repeat(PIECE_BYTES)}]`, is: [] },
  { name: 'that is one event', json: JSON.stringify(eventOf(1, 400 * KiB)), is: [eventOf(1, 400 * KiB)] },
])('a body $name, cut anywhere, is the events that it holds, in pieces that are parsed in no time', ({ json, is }) => {
  for (const chunkBytes of [13, 1_021, 64 * KiB, 1e9]) {
    const { events, pieceBytes = [] } = received(json, { chunkBytes })
    expect(events).toEqual(is)
    expect(Math.max(0, ...pieceBytes)).toBeLessThanOrEqual(EVENT_BYTES_MAX + PIECE_BYTES)
  }
})

test('an event that is too large has a verdict of its own, in its place, wherever the body is cut', () => {
  const large = eventOf(7, EVENT_BYTES_MAX + 1)
  const json = JSON.stringify([large, eventOf(1), large, large, eventOf(2), eventOf(3, 300 * KiB), large])
  for (const chunkBytes of [1_021, 64 * KiB, 1e9]) {
    const { events } = received(json, { chunkBytes })
    expect(events?.map((event) => (event as { id?: string }).id ?? (event as { refusal: { code: string } }).refusal.code)).toEqual([
      ...['event_too_large', 'e-1', 'event_too_large', 'event_too_large', 'e-2', 'e-3', 'event_too_large'],
    ])
  }
})

describe('a large body that is wrong anywhere is refused whole', () => {
  const json = JSON.stringify(manyEvents)
  test.each([
    { name: 'cut short', body: json.slice(0, -1), code: 'invalid_json' },
    { name: 'with a comma at its end', body: `${json.slice(0, -1)},]`, code: 'invalid_json' },
    { name: 'with two commas', body: json.replace(',{"id":"e-2000"', ',,{"id":"e-2000"'), code: 'invalid_json' },
    { name: 'with the wrong bracket', body: `${json.slice(0, -1)}}`, code: 'invalid_json' },
    { name: 'with something behind it', body: `${json} 1`, code: 'invalid_json' },
    { name: 'with NaN', body: json.replace('[[2000]', '[[NaN]'), code: 'invalid_json' },
    { name: 'not UTF-8', body: Buffer.from(json, 'utf8').fill(0xff, 700_000, 700_001), code: 'invalid_utf8' },
    { name: 'deep', body: `${json.slice(0, -1)},${'['.repeat(600)}${']'.repeat(600)}]`, code: 'body_too_deep' },
  ])('$name', ({ body, code }) => {
    expect(received(body)).toMatchObject({ code })
  })
})

describe('the bound is met while bytes come in', () => {
  test.each([
    { name: '22 million events', body: Buffer.from(`[${'{},'.repeat(2_000_000)}{}]`), code: 'too_many_events', takenBytesMax: 400_000 },
    { name: 'levels without an end', body: '['.repeat(2_000_000), code: 'body_too_deep', takenBytesMax: 400_000 },
    { name: 'one event without an end', body: `{"data":"${'x'.repeat(2_000_000)}`, code: 'payload_too_large', takenBytesMax: 700_000 },
    {
      name: 'an object that should be an array',
      body: `{"data":"${'x'.repeat(2_000_000)}`,
      shape: 'array',
      code: 'invalid_json',
      takenBytesMax: 400_000,
    },
    {
      name: 'an array that should be an object',
      body: '[{},'.repeat(500_000),
      shape: 'object',
      code: 'invalid_json',
      takenBytesMax: 400_000,
    },
  ] as const)('$name', ({ body, code, takenBytesMax, ...more }) => {
    const outcome = received(body, more)
    expect(outcome.code).toBe(code)
    expect(outcome.takenBytes).toBeLessThanOrEqual(takenBytesMax)
  })
})
