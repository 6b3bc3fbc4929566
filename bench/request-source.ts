import type { LoadSpec, RequestSpec } from './load.ts'
import { createWorkloadEvents, EVENT_TYPE, type WorkloadEvent } from './usage-workload.ts'

/** Whole requests as bytes, built before the load starts. Requests with events are sent again and again with new ids and times written into them. */
export type RequestSource = {
  /** The bytes may change once as many more requests have gone out as there are bodies. */
  next(): Uint8Array
  sent(): { readonly events: number; readonly newEvents: number; readonly bytes: number }
}

export function createRequestSource(spec: LoadSpec): RequestSource {
  const { requests } = spec
  switch (requests.kind) {
    case 'events':
      return eventRequests(spec, requests)
    case 'get':
      return cycled(requests.paths.map((path) => requestBytes(spec, 'GET', path, '')))
    case 'post':
      return cycled(requests.bodies.map((body) => requestBytes(spec, 'POST', requests.path, body)))
  }
}

function cycled(requests: readonly Buffer[]): RequestSource {
  let at = 0
  let bytes = 0
  return {
    next() {
      const request = requests[at++ % requests.length]
      if (request === undefined) throw new Error('there is at least one request')
      bytes += request.length
      return request
    },
    sent: () => ({ events: 0, newEvents: 0, bytes }),
  }
}

/** Where ids and times stand in a request, and which were last written there. */
type EventRequest = {
  readonly bytes: Buffer
  readonly roundsAt: readonly number[]
  readonly lastRoundsAt: readonly number[]
  readonly timesAt: readonly number[]
  readonly repeats: number
  writtenSecond: number
}

function eventRequests(spec: LoadSpec, requests: Extract<RequestSpec, { kind: 'events' }>): RequestSource {
  const { batchEvents, workload, spreadMs } = requests
  const events = createWorkloadEvents(workload)
  const pool: EventRequest[] = []
  for (let from = 0; from + batchEvents <= events.length; from += batchEvents) {
    pool.push(eventRequest(spec, requests, events.slice(from, from + batchEvents), from))
  }
  const requestsMax = spec.requestsMax ?? Number.POSITIVE_INFINITY
  const firstMs = Date.now() - spreadMs
  let sent = 0
  let bytes = 0
  let repeats = 0
  return {
    next() {
      const round = Math.floor(sent / pool.length)
      const request = pool[sent % pool.length]
      if (request === undefined) throw new Error('the pool holds at least one request')
      const nowMs = spreadMs === 0 ? Date.now() : firstMs + (spreadMs * sent) / requestsMax
      sent++
      stamp(request, round, Math.floor(nowMs / 1_000))
      bytes += request.bytes.length
      // Nothing was sent in a round before the first.
      repeats += request.repeats + (round > 0 ? request.lastRoundsAt.length : 0)
      return request.bytes
    },
    sent: () => ({ events: sent * batchEvents, newEvents: sent * batchEvents - repeats, bytes }),
  }
}

const ROUND_DIGITS = 6
const ROUND_MARK = '~'.repeat(ROUND_DIGITS)
const LAST_ROUND_MARK = '^'.repeat(ROUND_DIGITS)
/** `2026-07-01T09:30:00`, without its milliseconds. */
const SECOND_MARK = '!'.repeat(19)

function eventRequest(
  spec: LoadSpec,
  { idPrefix, batchEvents }: Extract<RequestSpec, { kind: 'events' }>,
  events: readonly WorkloadEvent[],
  firstIndex: number,
): EventRequest {
  const texts = events.map((event, at) => eventText(event, firstIndex + at, idPrefix))
  const bytes = requestBytes(spec, 'POST', '/v1/events', batchEvents === 1 ? texts.join('') : `[${texts.join(',')}]`)
  return {
    bytes,
    roundsAt: positionsOf(bytes, ROUND_MARK),
    lastRoundsAt: positionsOf(bytes, LAST_ROUND_MARK),
    timesAt: positionsOf(bytes, SECOND_MARK),
    repeats: events.filter(({ repeats, repeatsLastRound }) => repeats !== null && !repeatsLastRound).length,
    writtenSecond: 0,
  }
}

function eventText(event: WorkloadEvent, index: number, idPrefix: string): string {
  return JSON.stringify({
    id: `${idPrefix}_${event.repeatsLastRound ? LAST_ROUND_MARK : ROUND_MARK}_${String(event.repeats ?? index).padStart(8, '0')}`,
    source: 'gateway',
    type: EVENT_TYPE,
    customer: event.customer,
    time: `${SECOND_MARK}.${String(index % 1_000).padStart(3, '0')}Z`,
    data: { model: event.model, input_tokens: event.inputTokens, output_tokens: event.outputTokens },
  })
}

function requestBytes({ key, port }: LoadSpec, method: string, path: string, body: string): Buffer {
  const head = [
    `${method} ${path} HTTP/1.1`,
    `host: 127.0.0.1:${port}`,
    `authorization: Bearer ${key}`,
    ...(body === '' ? [] : ['content-type: application/json', `content-length: ${Buffer.byteLength(body)}`]),
  ]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`)
}

function positionsOf(bytes: Buffer, mark: string): number[] {
  const positions: number[] = []
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + mark.length)) positions.push(at)
  return positions
}

/** Byte by byte, as calls into Node's native code for some thousand places would cost more. */
function stamp(request: EventRequest, round: number, second: number): void {
  // Rounds count from 1, so that the one before the first has a number too.
  writeAll(request.bytes, request.roundsAt, String(round + 1).padStart(ROUND_DIGITS, '0'))
  writeAll(request.bytes, request.lastRoundsAt, String(round).padStart(ROUND_DIGITS, '0'))
  if (request.writtenSecond === second) return
  request.writtenSecond = second
  writeAll(request.bytes, request.timesAt, new Date(second * 1_000).toISOString().slice(0, SECOND_MARK.length))
}

function writeAll(bytes: Buffer, positions: readonly number[], text: string): void {
  for (let digit = 0; digit < text.length; digit++) {
    const code = text.charCodeAt(digit)
    for (const position of positions) bytes[position + digit] = code
  }
}
