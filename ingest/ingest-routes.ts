import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import { Type } from 'typebox'
import { Fault } from '../base/fault.ts'
import type { InstantMs, TenantKey } from '../domain/identity.ts'
import type { Principal } from '../domain/principal.ts'
import { isRefusal, type Outcome, orThrow, RefusalError, refuse, refuseFields } from '../domain/refusal.ts'
import { type HttpApp, ProblemSchema, VIEW_WAIT_MS_MAX } from '../schemas/http/common.ts'
import { parseInstant } from '../schemas/http/instants.ts'
import type { ViewWaits } from '../usage/view-waits.ts'
import type { EventPiece } from './core/array-pieces.ts'
import { createEventPieces, eventsOf, type WholeShape } from './core/event-pieces.ts'
import { discardRest } from './discard-rest.ts'
import { type Ingest, tooManyEvents } from './ingest.ts'
import { causeOf, type IngestOutcome } from './ingest-outcome.ts'
import type { IngestMode } from './ingest-request.ts'
import { type LineRoom, linePieces } from './json-lines.ts'
import { bodyKindOf, unpackedBody, withoutByteOrderMark } from './request-body.ts'
import { overloaded, ROOM_WAIT_MS_MAX, type Room, type RoomAccount, roomForDecoder } from './room.ts'
import { isLongAnswer, longAnswer, rejectedJson } from './verdicts-answer.ts'
import { WARNING_CODES, WARNING_EXAMPLES_MAX, WARNING_KINDS_MAX } from './warnings/event-warnings.ts'

/** `POST /v1/events`. */
export function ingestRoutes({ ingest, waits = null }: IngestRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    // The handler reads the stream itself: bodies are unpacked and cut while they come in, and held once.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))

    app.post(
      '/v1/events',
      // The handler judges events one by one, with a verdict each; the schema only documents them.
      { schema: SCHEMA, config: { scope: 'ingest', isNarrowedByItself: true }, validatorCompiler: () => (value) => ({ value }) },
      async (request, reply) => {
        const outcome = await receive(ingest, {
          principal: request.principal,
          query: request.query as Readonly<Record<string, unknown>>,
          headers: request.headers,
          body: request.body instanceof Readable ? request.body : Readable.from([]),
          connection: request.raw.socket,
        })
        if (outcome instanceof Fault || isRefusal(outcome)) {
          ingest.countRefusal(outcome)
          if (!request.raw.readableEnded) await discardRest(request.raw, ingest.clock)
          // The rest of the body would have to be read before the connection could serve another request.
          if (!request.raw.readableEnded) reply.header('connection', 'close')
        }
        if (outcome instanceof Fault) {
          if (outcome.canRetry) reply.header('retry-after', FAULT_RETRY_SECONDS)
          throw outcome
        }
        const verdicts = orThrow(outcome)
        await waitUntilCounted(waits, request.query as EventsRequest['query'])
        // Types know answers as values only.
        if (isLongAnswer(verdicts))
          return reply
            .code(202)
            .type(JSON_CONTENT_TYPE)
            .send(longAnswer(verdicts, ingest.clock) as never)
        const { accepted, rejected, warnings } = verdicts
        return reply
          .code(202)
          .send({ accepted, rejected: rejected.map(rejectedJson), ...(warnings.length === 0 ? {} : { warnings: [...warnings] }) })
      },
    )
  }
}

export type IngestRoutesDeps = {
  readonly ingest: Ingest
  /** Null in a process that has no counters: there nothing is waited for. */
  readonly waits?: Pick<ViewWaits, 'counted'> | null
}

/** The events are durable: what becomes of the wait does not change the answer. */
async function waitUntilCounted(waits: Pick<ViewWaits, 'counted'> | null, { waitMs }: EventsRequest['query']): Promise<void> {
  if (waits === null || waitMs === undefined) return
  await waits.counted(Number(waitMs)).catch((error: unknown) => {
    if (!(error instanceof Fault)) throw error
  })
}

/** A sender of events has a queue behind it, so it tries again sooner than other callers. */
const FAULT_RETRY_SECONDS = 1

const JSON_CONTENT_TYPE = 'application/json; charset=utf-8'

type EventsRequest = {
  readonly principal: Principal
  readonly query: Readonly<Record<string, unknown>>
  readonly headers: IncomingHttpHeaders
  readonly body: Readable
  readonly connection: unknown
}

async function receive(ingest: Ingest, request: EventsRequest): Promise<IngestOutcome> {
  const mode = modeOf(request, ingest.clock.now())
  if (isRefusal(mode)) return mode
  const kind = bodyKindOf(request.headers)
  if (isRefusal(kind)) return kind
  const { room, limits } = ingest
  const { tenant, keyId } = request.principal
  const holder = { tenant, key: keyId, connection: request.connection }
  const isHeldWhole = kind.shape !== 'lines' || mode.isAtomic
  const unpacked = unpackedBody(
    request.body,
    request.headers,
    kind.coding,
    // A body that is larger than a request may ever hold would be refused as overloaded, sent again, and so on for ever.
    isHeldWhole ? { ...limits, unpackedBytesMax: Math.min(limits.unpackedBytesMax, heldBytesMax(room, mode)) } : limits,
    (decoderBytes) => roomForDecoder(room, holder, decoderBytes),
  )
  const bytes = withoutByteOrderMark(unpacked)
  const account = room.bytes.open(holder)
  try {
    return kind.shape === 'lines'
      ? await receiveLines(ingest, tenant, mode, bytes, account)
      : await receiveWhole(ingest, tenant, mode, bytes, account, {
          ...kind,
          shape: kind.shape,
          bytesExpected: Number(request.headers['content-length'] ?? 0),
        })
  } finally {
    account.close()
  }
}

/** An atomic request holds its events too, until the last is judged. */
const ATOMIC_WEIGHT = 2

function heldBytesMax(room: Room, mode: IngestMode): number {
  return Math.floor(room.bytes.eachMax / (mode.isAtomic ? ATOMIC_WEIGHT : 1))
}

/** A JSON body is scanned as a whole before any of it is kept, so that a broken one keeps nothing. */
async function receiveWhole(
  ingest: Ingest,
  tenant: TenantKey,
  mode: IngestMode,
  bytes: AsyncIterable<Buffer>,
  account: RoomAccount,
  { shape, attributes, bytesExpected }: WholeBody,
): Promise<IngestOutcome> {
  try {
    const pieces = createEventPieces({
      ...{ shape, eventsMax: ingest.limits.requestEventsMax, bytesExpected },
      isData: attributes !== null,
    })
    for await (const chunk of bytes) {
      const shortage = account.tryTake(mode.isAtomic ? ATOMIC_WEIGHT * chunk.length : chunk.length)
      const refusal = shortage === undefined ? pieces.add(chunk) : overloaded('bytes', shortage)
      if (refusal !== undefined) return refusal
    }
    const whole = pieces.finish()
    const isDataLeftOut = attributes !== null && isRefusal(whole) && whole.code === 'empty_body'
    if (isRefusal(whole) && !isDataLeftOut) return whole
    const slices = isRefusal(whole) ? [[attributes]] : parsedSlices(whole, shape, attributes)
    const outcome = await ingest.submit(tenant, slices, mode)
    // An empty array states that there are no events; a body without lines may have lost them.
    return isRefusal(outcome) && outcome.code === 'no_events' ? { accepted: 0, rejected: [], warnings: [] } : outcome
  } catch (error) {
    return causeOf(error)
  }
}

type WholeBody = {
  readonly shape: WholeShape
  /** Attributes of the one event whose data the body is; null when the body is events. */
  readonly attributes: Readonly<Record<string, unknown>> | null
  /** As the headers say; 0 when they do not. */
  readonly bytesExpected: number
}

function* parsedSlices(
  pieces: readonly EventPiece[],
  shape: WholeShape,
  attributes: WholeBody['attributes'],
): Generator<readonly unknown[]> {
  for (const piece of pieces) yield eventsOf(piece, shape, attributes)
}

/** Lines are taken in pieces as they come: memory stays bounded, and a slow log slows the sender down. */
async function receiveLines(
  ingest: Ingest,
  tenant: TenantKey,
  mode: IngestMode,
  bytes: AsyncIterable<Buffer>,
  account: RoomAccount,
): Promise<IngestOutcome> {
  const request = ingest.begin(tenant, mode)
  const { requestEventsMax } = ingest.limits
  const lines = lineRoom(account)
  try {
    for await (const { values, bytes: pieceBytes } of linePieces(bytes, lines)) {
      if (request.events() + values.length > requestEventsMax) return await request.abandon(tooManyEvents(requestEventsMax))
      if (request.events() > 0) await ingest.clock.turn()
      // The events of an atomic request are held until its end.
      if (mode.isAtomic && !lines.tryHold(pieceBytes)) await lines.hold(pieceBytes)
      await request.add(values)
      if (!mode.isAtomic) void request.whenWritten().then(() => account.give(pieceBytes))
    }
    return await request.finish()
  } catch (error) {
    return await request.abandon(causeOf(error))
  }
}

function lineRoom(account: RoomAccount): LineRoom {
  return {
    tryHold: (bytes) => account.tryTake(bytes) === undefined,
    async hold(bytes) {
      const shortage = await account.take(bytes, ROOM_WAIT_MS_MAX)
      if (shortage !== undefined) throw new RefusalError(overloaded('bytes', shortage))
    },
  }
}

function modeOf({ query, principal, headers }: EventsRequest, nowMs: InstantMs): Outcome<IngestMode> {
  const unknown = Object.keys(query).find((name) => !Object.hasOwn(SCHEMA.querystring.properties, name))
  if (unknown !== undefined) {
    const detail = `there is no parameter '${unknown.slice(0, 80).toWellFormed()}'`
    return refuseFields('invalid_request', [{ field: unknown, code: 'unknown_parameter', detail }])
  }
  const isAtomic = flag(query, 'atomic')
  if (isRefusal(isAtomic)) return isAtomic
  const waitMs = Number(query.waitMs ?? 0)
  if (!(Number.isInteger(waitMs) && waitMs >= 0 && waitMs <= VIEW_WAIT_MS_MAX)) {
    const detail = `waitMs is ${JSON.stringify(query.waitMs).slice(0, 80)}; send a whole number from 0 to ${VIEW_WAIT_MS_MAX}.`
    return refuseFields('invalid_request', [{ field: 'waitMs', code: 'invalid', detail }])
  }
  const isBackfill = flag(query, 'backfill')
  if (isRefusal(isBackfill)) return isBackfill
  if (isBackfill && !principal.scopes.includes('admin')) {
    return refuse('missing_scope', { scope: 'admin', has: principal.scopes, wanted: 'backfill' })
  }
  const clockAheadMs = clockAheadOf(headers, nowMs)
  if (isRefusal(clockAheadMs)) return clockAheadMs
  return { isAtomic, isBackfill, clockAheadMs, ...(principal.only === undefined ? {} : { only: principal.only }) }
}

/** How far the sender's clock is ahead, below 0 behind; 0 within what a request may take on its way, and where it does not say. */
function clockAheadOf(headers: IncomingHttpHeaders, nowMs: InstantMs): Outcome<number> {
  const given = headers[SENT_AT_HEADER]
  if (given === undefined) return 0
  const sentAtMs = parseInstant(String(given), SENT_AT_HEADER)
  if (isRefusal(sentAtMs)) return sentAtMs
  return Math.abs(sentAtMs - nowMs) > CLOCK_IGNORED_MS ? sentAtMs - nowMs : 0
}

const SENT_AT_HEADER = 'tollgate-sent-at'
/** Bodies come in for up to two minutes, and so exact are clocks that are set. */
const CLOCK_IGNORED_MS = 300_000

function flag(query: EventsRequest['query'], name: string): Outcome<boolean> {
  const value = query[name]
  if (value === undefined || value === 'false') return false
  if (value === 'true' || value === '') return true
  const detail = `${name} is ${JSON.stringify(value).slice(0, 80)}; send true or false.`
  return refuseFields('invalid_request', [{ field: name, code: 'invalid', detail }])
}

const EventSchema = Type.Object(
  {
    id: Type.String({
      minLength: 1,
      maxLength: 256,
      description: 'With customer and source it tells repeats: a repeat within 35 days is counted once',
    }),
    source: Type.Optional(Type.String({ maxLength: 256, default: 'default' })),
    type: Type.String({ minLength: 1, maxLength: 128, description: 'Meters select events by it', examples: ['llm.request'] }),
    customer: Type.Optional(Type.String({ description: 'Key of the customer; or send subject' })),
    subject: Type.Optional(Type.String({ maxLength: 256, description: "A customer's key or one of its subjects" })),
    time: Type.Optional(Type.String({ format: 'date-time', description: 'When it happened; by default when it was received' })),
    data: Type.Optional(Type.Object({}, { additionalProperties: true, description: 'What meters read; at most 64 KiB' })),
    specversion: Type.Optional(Type.Literal('1.0')),
  },
  { additionalProperties: true, description: 'A CloudEvent; unknown attributes are kept' },
)
const RejectedEventSchema = Type.Object({
  index: Type.Integer(),
  id: Type.Union([Type.String(), Type.Null()]),
  code: Type.String(),
  detail: Type.String(),
})
const FlagSchema = Type.Union([Type.Literal('true'), Type.Literal('false')])

const SCHEMA = {
  tags: ['events'],
  operationId: 'ingestEvents',
  summary: 'Send usage events',
  description:
    'One event, an array, or one a line (NDJSON, streamed); gzip, br or zstd. Answered once the accepted ones are durable; every other event has its own verdict. 503 means that nothing was kept. ' +
    `A sender whose clock may be wrong says with the header \`${SENT_AT_HEADER}\` what it shows while sending: when that is more than ${CLOCK_IGNORED_MS / 60_000} minutes from ours, the times of its events are corrected by the difference.`,
  consumes: ['application/json', 'application/cloudevents+json', 'application/cloudevents-batch+json', 'application/x-ndjson'],
  querystring: Type.Object({
    atomic: Type.Optional(Type.Unsafe<string>({ ...FlagSchema, description: 'All or none' })),
    waitMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: VIEW_WAIT_MS_MAX,
        default: 0,
        description:
          'Answers when balances show the events, or after this time. A process with the role `ingest` alone answers at once: there let the reads wait, by their own `waitMs`',
      }),
    ),
    backfill: Type.Optional(Type.Unsafe<string>({ ...FlagSchema, description: 'Without bounds on event time; needs scope admin' })),
  }),
  body: Type.Union([EventSchema, Type.Array(EventSchema)]),
  response: {
    202: Type.Object({
      accepted: Type.Integer(),
      rejected: Type.Array(RejectedEventSchema),
      warnings: Type.Optional(
        Type.Array(
          Type.Object({
            index: Type.Integer(),
            id: Type.String(),
            code: Type.Enum([...WARNING_CODES]),
            detail: Type.String(),
            events: Type.Integer({ description: 'Events of the request with this warning' }),
          }),
          {
            maxItems: WARNING_KINDS_MAX * WARNING_EXAMPLES_MAX,
            description: `Events that were kept and count for nothing, or not as meant: up to ${WARNING_KINDS_MAX} different ones, with up to ${WARNING_EXAMPLES_MAX} examples of each`,
          },
        ),
      ),
    }),
    '4xx': ProblemSchema,
    '5xx': ProblemSchema,
  },
}
