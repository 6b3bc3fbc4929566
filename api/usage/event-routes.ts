import { type Static, Type } from 'typebox'
import type { MeterStore } from '../../adapters/database/meters/meter-store.ts'
import type { EventPosition, StoredEvent, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import { openCursor, sealCursor } from '../../base/sealed-cursor.ts'
import { formatQuantity } from '../../domain/decimal.ts'
import type { CustomerKey, InstantMs, MeterKey, TenantKey } from '../../domain/identity.ts'
import { contentBytes } from '../../domain/metering/content-bytes.ts'
import { eventTypesOf } from '../../domain/metering/event-reading.ts'
import { UNREADABLE_REASONS, type Unreadable } from '../../domain/metering/expressions/compiled-meter.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { readMeterValue } from '../../domain/metering/metering.ts'
import { type Outcome, orThrow, RefusalError, refuse } from '../../domain/refusal.ts'
import { timeZone } from '../../domain/time/time-zone.ts'
import {
  CustomerNameSchema,
  DecimalSchema,
  type HttpApp,
  InstantSchema,
  KeySchema,
  ListQuerySchema,
  PageSchema,
  ProblemSchema,
  WaitQuerySchema,
} from '../../schemas/http/common.ts'
import { BoundSchema } from '../../schemas/http/instants.ts'
import { type AdoptedCustomers, exceptAdopted } from '../../usage/adopted-customers.ts'
import type { ViewWaits } from '../../usage/view-waits.ts'
import { type CountedFilter, isWanted } from './counted-filter.ts'
import { type EventListQuery, type EventPage, filteredPageOf } from './filtered-page.ts'
import { parseTimeRange } from './time-range.ts'
import { USAGE_BOUNDS } from './usage-bounds.ts'
import { waitUntilStored } from './wait-until-stored.ts'

export type EventRoutesDeps = {
  readonly meters: Pick<MeterStore, 'ofTenant'>
  readonly usageStore: Pick<UsageStore, 'events'>
  readonly adoptedCustomers: AdoptedCustomers
  readonly waits: Pick<ViewWaits, 'stored'>
}

/** Accepted events as they were sent, each with the meters of its type that could not count it. */
export function eventRoutes({ meters: store, usageStore, adoptedCustomers, waits }: EventRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.get(
      '/v1/events',
      { config: { scope: 'read', isHeavyRead: true }, schema: LIST_SCHEMA, preHandler: waitUntilStored(waits) },
      async (request) => {
        const { tenant } = request.principal
        const { limit = LIMIT_DEFAULT, cursor } = request.query
        const list = listOf(tenant, request.query)
        const after = cursor === undefined ? undefined : orThrow(parseCursor(list, cursor))
        const meters = await store.ofTenant(tenant)
        const byType = Map.groupBy(meters, ({ eventType }) => eventType)
        const wanted = orThrow(wantedOf(request.query, meters))
        const query = {
          ...filterOf(tenant, request.query, wanted?.meter ?? null),
          ...(request.query.customer === undefined ? await exceptAdopted(adoptedCustomers, tenant, undefined) : {}),
          ...(after === undefined ? {} : { after }),
        }
        const page =
          wanted === null
            ? await pageOf(usageStore, query, limit)
            : await filteredPageOf(usageStore, query, limit, (event) => isWanted(wanted, event, byType))
        return {
          data: page.events.map((event) => eventJson(event, byType)),
          nextCursor: page.goesOnAfter === null ? null : cursorOf(list, page.goesOnAfter),
        }
      },
    )
    app.get('/v1/events/:id', { config: { scope: 'read', isHeavyRead: true }, schema: GET_SCHEMA }, async (request) => {
      const { tenant } = request.principal
      const { id } = request.params
      const { customer } = request.query
      const events = await usageStore.events({ tenant, customer: customer as CustomerKey, id, limit: EVENTS_OF_ONE_ID_MAX, bytesMax })
      const source = request.query.source
      const event = events.find((found) => source === undefined || found.source === source)
      if (event === undefined) throw new RefusalError(refuse('unknown_event', { customer, event: id }))
      return eventJson(event, await metersByType(store, tenant))
    })
  }
}

const LIMIT_DEFAULT = 100
const bytesMax = USAGE_BOUNDS.eventPage.most
/** An id is unique within a source; repeats after the dedupe horizon and other sources can make several events of one id. */
const EVENTS_OF_ONE_ID_MAX = 100

async function pageOf(usageStore: EventRoutesDeps['usageStore'], query: EventListQuery, limit: number): Promise<EventPage> {
  // One more than the page shows whether there is a next one.
  const found = await usageStore.events({ ...query, limit: limit + 1, bytesMax })
  const events = found.slice(0, limit)
  const isMore = found.length > limit || contentBytes(found) >= bytesMax
  return { events, goesOnAfter: isMore ? (events.at(-1) ?? null) : null }
}

const EVENTS_LOOKED_AT_MAX = USAGE_BOUNDS.eventsLookedAt.most

const AnyObject = Type.Object({}, { additionalProperties: true })
const EventSchema = Type.Object({
  id: Type.String(),
  source: Type.String(),
  type: Type.String(),
  customer: Type.String(),
  subject: Type.Union([Type.String(), Type.Null()], { description: 'As sent, when it is not the key of the customer' }),
  time: InstantSchema,
  receivedAt: InstantSchema,
  data: AnyObject,
  attributes: Type.Union([AnyObject, Type.Null()], { description: 'Further attributes, as sent' }),
  uncounted: Type.Array(
    Type.Object({
      meter: Type.String(),
      reason: Type.Enum([...UNREADABLE_REASONS]),
    }),
    { description: 'Meters of this event type that could not read a value of the event, and counted nothing for it' },
  ),
  rounded: Type.Array(Type.Object({ meter: Type.String(), counted: DecimalSchema }), {
    description: 'Meters that rounded a value of more than 9 fractional digits, and what they counted',
  }),
})

export type EventJson = Static<typeof EventSchema>

const LIST_SCHEMA = {
  tags: ['events'],
  summary: 'Accepted events, newest first by event time',
  description: `A page ends at \`limit\` events, or earlier with the event whose content fills ${bytesMax / 2 ** 20} MiB; \`nextCursor\` goes on behind it. With \`counted\` or \`meter\` it ends at ${EVENTS_LOOKED_AT_MAX.toLocaleString('en')} events looked at as well, and may have fewer than there are further on.`,
  operationId: 'listEvents',
  querystring: Type.Object({
    customer: Type.Optional(CustomerNameSchema),
    type: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    source: Type.Optional(Type.String({ maxLength: 256 })),
    id: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    meter: Type.Optional({ ...KeySchema, description: 'Only events that this meter reads' }),
    counted: Type.Optional(
      Type.Boolean({
        description:
          'Under the meters as they are now. False: events that the meter could not count; without `meter`, that any meter of their type could not, or that no meter reads. True: all others',
      }),
    ),
    from: Type.Optional(BoundSchema('Event time, inclusive; a date is its start in UTC')),
    to: Type.Optional(BoundSchema('Event time, exclusive; a date is its start in UTC')),
    ...WaitQuerySchema.properties,
    ...ListQuerySchema.properties,
  }),
  response: { 200: PageSchema(EventSchema), 400: ProblemSchema, 404: ProblemSchema, 503: ProblemSchema },
}

const GET_SCHEMA = {
  tags: ['events'],
  summary: 'One event of a customer, by its id',
  operationId: 'getEvent',
  params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 256 }) }),
  querystring: Type.Object({
    customer: CustomerNameSchema,
    source: Type.Optional(Type.String({ maxLength: 256, description: 'Needed only when several sources used the id; else the newest' })),
  }),
  response: { 200: EventSchema, 400: ProblemSchema, 404: ProblemSchema, 503: ProblemSchema },
}

type EventFilter = {
  readonly customer?: string
  readonly type?: string
  readonly source?: string
  readonly id?: string
  readonly meter?: string
  readonly counted?: boolean
  readonly from?: string
  readonly to?: string
}

/** Null when every event is wanted. */
function wantedOf({ meter, counted }: EventFilter, meters: readonly Meter[]): Outcome<CountedFilter | null> {
  if (meter === undefined && counted === undefined) return null
  const named = meters.find(({ key }) => key === meter)
  if (meter !== undefined && named === undefined) return refuse('unknown_meter', { meter: meter as MeterKey })
  return { meter: named ?? null, isCounted: counted ?? null }
}

function filterOf(tenant: TenantKey, { customer, type, source, id, ...range }: EventFilter, meter: Meter | null): EventListQuery {
  const types = type !== undefined ? [type] : meter === null ? [] : eventTypesOf(meter)
  const { fromMs, toMs } = orThrow(parseTimeRange(range, timeZone('UTC'), { fromMs: undefined, toMs: undefined }))
  return {
    tenant,
    ...(customer === undefined ? {} : { customer: customer as CustomerKey }),
    ...(types.length === 0 ? {} : { types }),
    ...(source === undefined ? {} : { source }),
    ...(id === undefined ? {} : { id }),
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(toMs === undefined ? {} : { toMs }),
  }
}

/** Meters by the event type that they read. */
async function metersByType(store: EventRoutesDeps['meters'], tenant: TenantKey): Promise<ReadonlyMap<string, readonly Meter[]>> {
  return Map.groupBy(await store.ofTenant(tenant), ({ eventType }) => eventType)
}

function eventJson(event: StoredEvent, metersByType: ReadonlyMap<string, readonly Meter[]>) {
  const data = JSON.parse(event.data) as Record<string, unknown>
  const uncounted: { meter: string; reason: Unreadable }[] = []
  const rounded: { meter: string; counted: string }[] = []
  for (const meter of metersByType.get(event.type) ?? []) {
    const reading = readMeterValue(meter, data)
    if (reading === null) continue
    if ('unreadable' in reading) uncounted.push({ meter: meter.key, reason: reading.unreadable })
    else if (reading.note !== undefined) rounded.push({ meter: meter.key, counted: formatQuantity(reading.value) })
  }
  return {
    id: event.id,
    source: event.source,
    type: event.type,
    customer: event.customer,
    subject: event.subject,
    time: new Date(event.occurredAtMs).toISOString(),
    receivedAt: new Date(event.receivedAtMs).toISOString(),
    data,
    attributes: event.attributes === null ? null : (JSON.parse(event.attributes) as Record<string, unknown>),
    uncounted,
    rounded,
  }
}

type Cursor = { readonly occurredAtMs: InstantMs } & EventPosition

/** A cursor goes on in the list that it came from: of the tenant, with the same filter. */
function listOf(tenant: TenantKey, { customer, type, source, id, meter, counted, from, to }: EventFilter): string {
  return JSON.stringify(['events', tenant, customer, type, from, to, source, id, meter, counted])
}

function cursorOf(list: string, { occurredAtMs, partition, offset, index }: Cursor): string {
  return sealCursor(list, [occurredAtMs, partition, offset, index].join(':'))
}

function parseCursor(list: string, cursor: string): Outcome<Cursor> {
  const place = openCursor(list, cursor)
  if (place === null) return refuse('invalid_cursor', {})
  const [occurredAtMs, partition, offset, index] = place.split(':').map(Number)
  return { occurredAtMs, partition, offset, index } as Cursor
}
