import { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import type { HttpApp } from '../../schemas/http/common.ts'
import type { OwnEvent, OwnQuery } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { wholeNumber } from '../whole-number.ts'
import { textOf } from './lists.ts'

/** Usage events: all of a request or none. */
export async function eventRoutes(app: HttpApp, { own, clock }: VendorKit): Promise<void> {
  app.register(async (ingest) => {
    // The body goes on to our own route as it comes, and is read there, once.
    ingest.removeAllContentTypeParsers()
    ingest.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    ingest.post('/api/v1/events', { config: ANY_KEY }, async (request, reply) => {
      const body = request.body instanceof Readable ? request.body : Readable.from([])
      await own(request).ingestBody(bodyHeaders(request), body, { atomic: true })
      return reply.code(204).send()
    })
  })

  app.get('/api/v1/events', { config: ANY_KEY }, async (request) => {
    const { query } = request
    const from = textOf(query, 'from') ?? new Date(clock.now() - LISTED_BY_DEFAULT_MS).toISOString()
    const { data } = await own(request).events({
      ...{ from, to: textOf(query, 'to'), id: textOf(query, 'id') },
      customer: textOf(query, 'customerId') ?? textOf(query, 'subject'),
      limit: wholeNumber(textOf(query, 'limit'), 'limit', { usual: EVENTS_MAX, most: EVENTS_MAX }),
    })
    const subject = textOf(query, 'subject')
    const received = { from: textOf(query, 'ingestedAtFrom') ?? '', to: textOf(query, 'ingestedAtTo') ?? '9' }
    return data
      .filter((event) => subject === undefined || subjectOf(event) === subject)
      .filter(({ receivedAt }) => receivedAt >= received.from && receivedAt < received.to)
      .map(eventJson)
  })

  app.get('/api/v2/events', { config: ANY_KEY }, async (request) => {
    const { query } = request
    const filter = filterOf(textOf(query, 'filter'))
    const limit = wholeNumber(textOf(query, 'limit'), 'limit', { usual: EVENTS_MAX, most: EVENTS_MAX })
    const page = await own(request).events({ ...filter, limit, cursor: textOf(query, 'cursor') })
    return { items: page.data.map(eventJson), ...(page.nextCursor === null ? {} : { nextCursor: page.nextCursor }) }
  })
}

const EVENTS_MAX = 100
const LISTED_BY_DEFAULT_MS = 72 * 3_600_000

function bodyHeaders({ headers }: FastifyRequest) {
  const names = ['content-type', 'content-encoding', 'content-length'] as const
  return Object.fromEntries(names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])))
}

/** Equality alone: `{"subject":{"$eq":"acme"}}`. */
function filterOf(text: string | undefined): OwnQuery {
  if (text === undefined) return {}
  const filter = parsedFilter(text)
  return Object.fromEntries(
    Object.entries(filter).map(([field, condition]) => {
      const name = FILTERED[field]
      const operators = typeof condition === 'object' && condition !== null ? Object.entries(condition) : []
      const [operator, value] = operators[0] ?? []
      if (name === undefined || operators.length !== 1 || operator !== '$eq' || typeof value !== 'string') {
        return refuseInput('filter', `filter takes {"$eq": text} of ${Object.keys(FILTERED).join(', ')}`)
      }
      return [name, value]
    }),
  )
}

const FILTERED: Readonly<Record<string, string>> = { subject: 'customer', customerId: 'customer', id: 'id', source: 'source', type: 'type' }

function parsedFilter(text: string): object {
  try {
    const filter: unknown = JSON.parse(text)
    if (typeof filter === 'object' && filter !== null) return filter
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  return refuseInput('filter', 'filter must be a JSON object')
}

function subjectOf({ subject, customer }: OwnEvent): string {
  return subject ?? customer
}

function eventJson(event: OwnEvent) {
  const { id, source, type, time, data, customer, receivedAt, uncounted } = event
  return {
    event: { id, source, specversion: '1.0', type, subject: subjectOf(event), time, data },
    customerId: customer,
    ingestedAt: receivedAt,
    storedAt: receivedAt,
    ...(uncounted.length === 0 ? {} : { validationError: uncounted.map(({ meter, reason }) => `${meter}: ${reason}`).join('; ') }),
  }
}
