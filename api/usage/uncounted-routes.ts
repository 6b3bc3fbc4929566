import { Type } from 'typebox'
import type { MeterStore } from '../../adapters/database/meters/meter-store.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { CustomerKey, InstantMs } from '../../domain/identity.ts'
import { UNREADABLE_REASONS } from '../../domain/metering/expressions/compiled-meter.ts'
import { EVENT_AGE_MAX_MS, EVENT_LEAD_MAX_MS } from '../../domain/metering/usage-event.ts'
import { orThrow } from '../../domain/refusal.ts'
import { timeZone } from '../../domain/time/time-zone.ts'
import { CustomerNameSchema, type HttpApp, InstantSchema, ProblemSchema } from '../../schemas/http/common.ts'
import { BoundSchema, instantJson, parseBound } from '../../schemas/http/instants.ts'
import { type AdoptedCustomers, exceptAdopted } from '../../usage/adopted-customers.ts'
import { parseTimeRange } from './time-range.ts'
import { createUncountedEvents, UNCOUNTED_SAMPLES_MAX } from './uncounted-events.ts'

export type UncountedRoutesDeps = {
  readonly meters: Pick<MeterStore, 'ofTenant'>
  readonly usageStore: Pick<UsageStore, 'scanEvents'>
  readonly clock: Pick<Clock, 'now'>
  readonly adoptedCustomers: AdoptedCustomers
}

/** `GET /v1/events/uncounted`: events that were kept and count for nothing. */
export function uncountedRoutes({ meters, usageStore, clock, adoptedCustomers }: UncountedRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.get('/v1/events/uncounted', { config: { scope: 'read', isHeavyRead: true }, schema: SCHEMA }, async (request) => {
      const { tenant } = request.principal
      const { customer, to } = request.query
      const utc = timeZone('UTC')
      const latestMs = (clock.now() + EVENT_LEAD_MAX_MS) as InstantMs
      const endMs = to === undefined ? latestMs : orThrow(parseBound(to, 'to', utc))
      const earliestMs = (endMs - EVENT_AGE_MAX_MS - EVENT_LEAD_MAX_MS) as InstantMs
      const range = orThrow(parseTimeRange(request.query, utc, { fromMs: earliestMs, toMs: latestMs }))
      const uncounted = createUncountedEvents(await meters.ofTenant(tenant))
      const customers =
        customer === undefined ? await exceptAdopted(adoptedCustomers, tenant, undefined) : { customers: [customer as CustomerKey] }
      let eventsRead = 0
      for await (const events of usageStore.scanEvents({ tenant, ...customers, ...range })) {
        for (const event of events.slice(0, EVENTS_READ_MAX - eventsRead)) uncounted.add(event)
        eventsRead += events.length
        if (eventsRead > EVENTS_READ_MAX) break
      }
      return {
        data: uncounted
          .groups()
          .map(({ sinceMs, samples, ...group }) => ({ ...group, since: instantJson(sinceMs), samples: [...samples] })),
        complete: eventsRead <= EVENTS_READ_MAX && !uncounted.isFull(),
      }
    })
  }
}

/** Some two seconds of reading; a longer range must be asked for in parts. */
const EVENTS_READ_MAX = 200_000

const SCHEMA = {
  tags: ['events'],
  summary: 'Events that were kept and count for nothing, by type, meter and reason',
  description: `Under the meters as they are now; the most frequent first. Up to ${EVENTS_READ_MAX.toLocaleString('en')} events are looked at, in the order of their receipt: when there are more in the range, complete is false; ask for a shorter one, or for one customer.`,
  operationId: 'listUncountedEvents',
  querystring: Type.Object({
    customer: Type.Optional(CustomerNameSchema),
    from: Type.Optional(BoundSchema('Event time, inclusive; a date is its start in UTC; by default 35 days before to')),
    to: Type.Optional(BoundSchema('Event time, exclusive; a date is its start in UTC; by default an hour ahead')),
  }),
  response: {
    200: Type.Object({
      data: Type.Array(
        Type.Object({
          type: Type.String(),
          meter: Type.Union([Type.String(), Type.Null()], { description: 'Null when no meter reads the type' }),
          reason: Type.Enum(['unread_type', ...UNREADABLE_REASONS]),
          count: Type.Integer({ description: 'Events' }),
          since: { ...InstantSchema, description: 'Event time of the first' },
          samples: Type.Array(Type.String(), { description: `Ids of up to ${UNCOUNTED_SAMPLES_MAX} of them` }),
        }),
      ),
      complete: Type.Boolean({ description: 'Whether all events of the range were looked at' }),
    }),
    400: ProblemSchema,
    503: ProblemSchema,
  },
}
