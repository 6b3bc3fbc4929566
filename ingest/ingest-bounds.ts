import type { Bounds } from '../domain/bound.ts'

/** What is bounded from the first byte of a request of events until they are durable. */
export const INGEST_BOUNDS = {
  packedBody: {
    what: 'a compressed body of events',
    most: 16_777_216,
    unit: 'bytes',
    per: 'request',
    code: 'payload_too_large',
    setting: 'TOLLGATE_EVENT_PACKED_BYTES_MAX',
  },
  body: {
    what: 'a body of events, once unpacked; one that is held whole (JSON) is bounded by a quarter of all bytes too, an atomic one by an eighth',
    most: 67_108_864,
    unit: 'bytes',
    per: 'request',
    code: 'payload_too_large',
    setting: 'TOLLGATE_EVENT_UNPACKED_BYTES_MAX',
  },
  events: {
    what: 'events, counted before they are parsed',
    most: 100_000,
    unit: 'events',
    per: 'request',
    code: 'too_many_events',
    setting: 'TOLLGATE_REQUEST_EVENTS_MAX',
  },
  event: { what: 'an event as JSON', most: 524_288, unit: 'bytes', per: 'event', code: 'event_too_large' },
  depth: { what: 'levels of a JSON array of events beyond 256 KiB', most: 512, unit: 'levels', per: 'request', code: 'body_too_deep' },
  parsedAtOnce: {
    what: 'what is parsed before others have their turn, and an event more',
    most: 262_144,
    unit: 'bytes',
    per: 'turn',
    code: null,
  },
  bytes: {
    what: 'events received and not yet durable; a tenant may hold half of it, a key a third, a connection a quarter',
    most: 134_217_728,
    unit: 'bytes',
    per: 'process',
    code: 'overloaded',
    setting: 'TOLLGATE_PENDING_BYTES_MAX',
  },
  decoderBytes: {
    what: 'memory of open decoders, 1 MiB and the window of each; a tenant may hold half of it, a key a third, a connection a quarter',
    most: 71_303_168,
    unit: 'bytes',
    per: 'process',
    code: 'overloaded',
  },
  zstdWindow: { what: 'window of zstd', most: 8_388_608, unit: 'bytes', per: 'decoder', code: 'invalid_content_encoding' },
  waiting: {
    what: 'requests that wait for room, half of them of one tenant, a third of one key; one more is refused at once',
    most: 1_024,
    unit: 'requests',
    per: 'process',
    code: 'overloaded',
  },
  waitingTime: { what: 'waiting for room', most: 10, unit: 'seconds', per: 'request', code: 'overloaded' },
} as const satisfies Bounds
