import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { DateTime } from 'luxon'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../../adapters/database/database.ts'
import { openPGliteDatabase } from '../../adapters/database/engine/pglite-database.ts'
import type { EventLog } from '../../adapters/event-log/event-log.ts'
import { createLmdbEventLog } from '../../adapters/event-log/lmdb/lmdb-event-log.ts'
import { openChdbUsageStore } from '../../adapters/usage-store/engine/chdb-usage-store.ts'
import type { StoredEvent, UsagePlace, UsageRow, UsageStore, WindowRow } from '../../adapters/usage-store/usage-store.ts'
import type { CustomerKey, InstantMs, MeterKey, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import type { Aggregation, Meter } from '../../domain/metering/meter.ts'
import {
  type Aggregate,
  addToAggregate,
  aggregateValue,
  emptyAggregate,
  readDimensions,
  readMeterValue,
} from '../../domain/metering/metering.ts'
import { orThrow } from '../../domain/refusal.ts'
import { CALENDAR_WINDOWS, calendarWindowAt } from '../../domain/time/calendar-windows.ts'
import { type DatabaseStores, databaseStores } from '../../runtime/database-stores.ts'
import { createHttpApp } from '../../runtime/http/http-app.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { inLongRun } from '../../test/support/long-run.ts'
import { copyPreparedCatalog } from '../../test/support/prepared-directory.ts'
import { sampledZones } from '../../test/support/time-zones.ts'
import type { CalendarUsageRequest } from '../../usage/calendar-usage.ts'
import { createCompleteUntil } from '../../usage/complete-until.ts'
import { createUsageReader, type UsageReader } from '../../usage/usage-reader.ts'
import { usagePlaceOf } from '../../usage/usage-rows.ts'
import { eventRoutes } from './event-routes.ts'
import { usageRoutes } from './usage-routes.ts'

const TENANT = 'default' as TenantKey
const at = (text: string) => Date.parse(text) as InstantMs
const NOW = at('2026-03-31T12:00:00Z')
const P0 = 0 as Partition
const log = pino({ level: 'silent' })
const AGGREGATIONS: readonly Aggregation[] = ['sum', 'count', 'min', 'max', 'avg', 'latest', 'unique']

describe('usage and events over HTTP', () => {
  let path: string
  let database: Database
  let stores: DatabaseStores
  let usageStore: UsageStore
  let eventLog: EventLog
  let usageReader: UsageReader
  let app: HttpApp
  const meters = new Map<string, Meter>()
  const clock = { ...systemClock, now: () => NOW }

  beforeAll(async () => {
    path = await mkdtemp(join(tmpdir(), 'tollgate-usage-'))
    await copyPreparedCatalog(join(path, 'catalog'))
    database = await openPGliteDatabase({ path: join(path, 'catalog'), clock, randomBytes, log })
    await database.migrate()
    stores = databaseStores(database.session)
    usageStore = await openChdbUsageStore({
      clock: systemClock,
      path: join(path, 'usage-store'),
      chunkRecords: 10,
      log,
      registry: new Registry(),
    })
    await usageStore.migrate()
    eventLog = await createLmdbEventLog({ clock: systemClock, path: join(path, 'event-log'), partitions: 1, log, registry: new Registry() })
    usageReader = createUsageReader({ usageStore, partitions: 1, clock })
    const principal = { keyId: 'k', tenant: TENANT, scopes: ['read' as const] }
    const registry = new Registry()
    app = createHttpApp({
      findPrincipal: async () => principal,
      idempotency: stores.idempotency,
      clock,
      log,
      registry,
      bodyBytesMax: 1_000_000,
    })
    app.register(
      usageRoutes({
        adoptedCustomers: async () => [],
        ...stores,
        usageReader,
        waits: { stored: async () => undefined },
        asOf: createCompleteUntil({ eventLog, usageStore, clock }),
        clock,
      }),
    )
    app.register(eventRoutes({ adoptedCustomers: async () => [], ...stores, usageStore, waits: { stored: async () => undefined } }))
    for (const aggregation of AGGREGATIONS) await makeMeter(`tokens_${aggregation}`, aggregation)
    await makeMeter('new', 'sum', 'other', false)
    await count(EVENTS)
  })
  afterAll(async () => {
    await app.close()
    await usageStore.stop()
    await eventLog.stop()
    await database.stop()
    await rm(path, { recursive: true, force: true })
  })

  const makeMeter = async (key: string, aggregation: Aggregation, eventType = 'llm', backfilled = true) => {
    const value = aggregation === 'count' ? [] : ['n']
    const definition = { eventType, aggregation, value, dimensions: { model: 'model', region: 'at.region' } }
    const { value: meter } = orThrow(await stores.meters.put(TENANT, key as MeterKey, definition))
    meters.set(key, meter)
    const { revision } = meter
    await usageStore.putActivations([{ tenant: TENANT, meter: meter.key, revision, partition: P0, fromOffset: 0 as Offset, backfilled }])
    return meter
  }
  /** Counts as the aggregator would: windows of a minute per chunk, each the fold of its events. */
  const count = async (events: readonly StoredEvent[]) => {
    const windows = [...meters.values()].flatMap((meter) => foldWindows(meter, events))
    await usageStore.write({ events, windows, positions: [] })
  }
  const rowsByPages = async (meter: Meter, request: CalendarUsageRequest): Promise<readonly UsageRow[]> => {
    const rows: UsageRow[] = []
    for (let after: UsagePlace | null = null; ; ) {
      const page = await usageReader.calendar(meter, { ...request, page: { after } })
      expect(page.length).toBeLessThanOrEqual(request.rowsMax + 1)
      rows.push(...page.slice(0, request.rowsMax))
      const last = rows.at(-1)
      if (page.length <= request.rowsMax || last === undefined) return rows
      after = usagePlaceOf(last, request.groupBy)
    }
  }
  const get = async (url: string) => {
    const answer = await app.inject({ url, headers: { authorization: 'Bearer tg_x' } })
    return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
  }
  const usage = (key: string, query: string) => get(`/v1/meters/${key}/usage?${query}`)
  const pagesOf = async (key: string, query: string) => {
    const pages: { readonly data: readonly unknown[]; readonly nextCursor: string | null }[] = []
    for (let cursor: string | null | undefined; cursor !== null; cursor = pages.at(-1)?.nextCursor) {
      const { status, body } = await usage(key, `${query}${cursor === undefined ? '' : `&cursor=${cursor}`}`)
      expect(status).toBe(200)
      pages.push(body)
    }
    return pages
  }

  test('by window and group, with whole windows of the zone and exact values', async () => {
    const { status, body } = await usage(
      'tokens_sum',
      'customer=acme&from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z&window=day&timezone=europe/berlin&groupBy=model,customer',
    )
    expect(status).toBe(200)
    expect(body).toEqual({
      data: [
        day('2026-03-09T23:00:00.000Z', '2026-03-10T23:00:00.000Z', '1.5', 2, 'large'),
        day('2026-03-09T23:00:00.000Z', '2026-03-10T23:00:00.000Z', '2', 1, 'small'),
        // The clocks go forward: 23 hours.
        day('2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z', '40', 1, 'small'),
      ],
      nextCursor: null,
      asOf: new Date(NOW).toISOString(),
    })
  })

  test('pages hold together what one answer holds, whatever their size, and go on with the same question alone', async () => {
    const question = 'from=2026-03-01T00:00:20Z&to=2026-04-01&window=day&groupBy=customer,model'
    const whole = (await usage('tokens_sum', question)).body.data
    expect(whole.length).toBeGreaterThan(3)
    for (const limit of [1, 2, whole.length]) {
      const pages = await pagesOf('tokens_sum', `${question}&limit=${limit}`)
      expect(pages.flatMap(({ data }) => data)).toEqual(whole)
      expect(pages.map(({ data }) => data.length)).toEqual([
        ...Array(Math.floor((whole.length - 1) / limit)).fill(limit),
        expect.any(Number),
      ])
    }
    const { nextCursor } = (await usage('tokens_sum', `${question}&limit=1`)).body
    for (const other of [`${question}&filter[model]=large`, question.replace('day', 'hour'), `${question},region`]) {
      const { status, body } = await usage('tokens_sum', `${other}&cursor=${nextCursor}`)
      expect({ status, code: body.code }).toEqual({ status: 400, code: 'invalid_cursor' })
    }
    expect((await usage('tokens_sum', 'limit=1')).body).toMatchObject({ data: [{ value: '143.5' }], nextCursor: null })
  })

  test('a place that no cursor holds is said', async () => {
    const { key, revision } = await makeMeter('long', 'sum', 'long')
    const [row] = foldWindows(orPresent(meters.get('tokens_sum')), EVENTS)
    const long = { ...orPresent(row), meter: key, revision }
    const windows = ['a', 'b'].map((letter) => ({ ...long, dimensions: { model: letter.repeat(8_000), region: '' } }))
    await usageStore.write({ events: [], windows, positions: [] })
    expect((await usage('long', 'groupBy=model&limit=2')).body).toMatchObject({ nextCursor: null })
    const { status, body } = await usage('long', 'groupBy=model&limit=1')
    expect({ status, code: body.code }).toEqual({ status: 400, code: 'cursor_too_long' })
  })

  test('the current month is what no dates mean, and a plain total is one row, even of nothing', async () => {
    const month = { windowStart: '2026-03-01T00:00:00.000Z', windowEnd: '2026-04-01T00:00:00.000Z' }
    expect((await usage('tokens_sum', '')).body.data).toEqual([{ ...month, value: '143.5', events: 5 }])
    expect((await usage('tokens_sum', 'customer=nobody')).body.data).toEqual([{ ...month, value: '0', events: 0 }])
    expect((await usage('tokens_max', 'customer=nobody')).body.data).toEqual([{ ...month, value: null, events: 0 }])
    expect((await usage('tokens_sum', 'customer=nobody&groupBy=model')).body.data).toEqual([])
  })

  test('customers and filters repeat, and a nested dimension filters by what is not there', async () => {
    const totalOf = async (query: string) => (await usage('tokens_sum', query)).body.data[0].value
    expect(await totalOf('customer=acme&customer=globex')).toBe('143.5')
    expect(await totalOf('filter[model]=large')).toBe('1.5')
    expect(await totalOf('filter[model]=large&filter[model]=small&filter[region]=eu')).toBe('2')
    expect(await totalOf('filter%5Bregion%5D=')).toBe('141.5')
  })

  test('usage beyond seriesMax stands under (other), and the answer says what a filter leaves out', async () => {
    const { key, revision } = await makeMeter('wide', 'sum', 'wide')
    const counted = meters.get('tokens_sum')
    const [row] = counted === undefined ? [] : foldWindows(counted, EVENTS).map((each) => ({ ...each, meter: key, revision }))
    await usageStore.write({
      events: [],
      windows:
        row === undefined ? [] : [row, { ...row, dimensions: { model: '(other)', region: '(other)' }, events: 7, sum: 9_000_000_000n }],
      positions: [],
    })
    const total = (await usage('wide', '')).body
    expect(total).not.toHaveProperty('warnings')
    expect(total.data).toMatchObject([{ events: (row?.events ?? 0) + 7 }])
    expect((await usage('wide', 'groupBy=customer')).body).not.toHaveProperty('warnings')
    const byModel = (await usage('wide', 'groupBy=model')).body
    expect(byModel.data).toContainEqual(expect.objectContaining({ dimensions: { model: '(other)' }, value: '9', events: 7 }))
    const filtered = (await usage('wide', 'filter[model]=nothing')).body
    for (const { warnings } of [byModel, filtered]) {
      expect(warnings).toMatchObject([{ code: 'series_beyond_max', detail: expect.stringMatching(/^7 events count as \(other\)/) }])
    }
  })

  test.each([
    { query: 'from=2026-03-02T00:00:00Z&to=2026-03-02T00:00:00Z', field: 'from', code: 'empty_range' },
    { query: 'from=2026-05-01T00:00:00Z', field: 'from', code: 'empty_range' },
    { query: 'from=yesterday', field: 'from' },
    { query: 'window=fortnight', field: 'window' },
    { query: 'from=2026-02-29', field: 'from' },
    { query: 'timezone=SystemV/PST8', field: 'timezone', code: 'unknown_timezone' },
    { query: 'timezone=PST', field: 'timezone', code: 'unknown_timezone' },
    { query: 'timezone=Mars/Olympus', field: 'timezone', code: 'unknown_timezone' },
    { query: 'timezone=%2B02:00', field: 'timezone', code: 'unknown_timezone' },
    { query: 'groupBy=model,color', field: 'groupBy', code: 'unknown_dimension' },
    { query: 'filter[color]=red', field: 'filter[color]', code: 'unknown_dimension' },
    { query: 'groupby=model', field: 'groupby', code: 'unknown_parameter' },
    { query: 'customer=a&'.repeat(1_001), field: 'customer' },
    { query: 'filter[model]=a&'.repeat(101), field: 'filter[model]' },
    { query: 'limit=0', field: 'limit' },
    { query: 'limit=10001', field: 'limit' },
  ])('$query is refused, naming $field: what is no range, zone or dimension, or is beyond a bound', async ({ query, field, code }) => {
    const { status, body } = await usage('tokens_sum', query)
    expect(status).toBe(400)
    expect(body.code).toBe('invalid_request')
    expect(body.errors).toContainEqual(expect.objectContaining(code === undefined ? { field } : { field, code }))
  })

  test('an unknown meter is 404; one that still counts its past says when to come back', async () => {
    expect(await usage('nothing', '')).toMatchObject({ status: 404, body: { code: 'unknown_meter' } })
    const { status, headers, body } = await usage('new', '')
    expect({ status, code: body.code }).toEqual({ status: 409, code: 'meter_backfilling' })
    expect(Number(headers['retry-after'])).toBeGreaterThan(0)
    const { revision } = orPresent(meters.get('new'))
    const activation = { tenant: TENANT, meter: 'new' as MeterKey, revision, partition: P0, fromOffset: 0 as Offset }
    await usageStore.putActivations([{ ...activation, backfilled: true }])
    expect((await usage('new', '')).status).toBe(200)
  })

  test('any part of time to the millisecond, in every aggregation, is the fold of its events', async () => {
    const instants = fc.integer({ min: at('2026-02-28T22:00:00Z'), max: at('2026-03-30T02:00:00Z') })
    // Near the events, where minutes are cut.
    const near = fc
      .tuple(fc.constantFrom(...EVENTS), fc.integer({ min: -61_000, max: 61_000 }))
      .map(([event, ms]) => event.occurredAtMs + ms)
    const bound = fc.oneof(instants, near)
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(bound, bound).filter(([a, b]) => a !== b),
        fc.constantFrom(...AGGREGATIONS),
        fc.subarray(['customer', 'model']),
        fc.constantFrom(undefined, 'day' as const, 'hour' as const),
        fc.constantFrom('UTC', 'Asia/Kolkata', 'America/New_York'),
        fc.constantFrom(undefined, ['acme' as CustomerKey], ['globex' as CustomerKey, 'acme' as CustomerKey]),
        fc.integer({ min: 1, max: 3 }),
        async ([a, b], aggregation, groupBy, window, timezone, customers, pageRows) => {
          const meter = orPresent(meters.get(`tokens_${aggregation}`))
          const [fromMs, toMs] = [Math.min(a, b) as InstantMs, Math.max(a, b) as InstantMs]
          const request = { fromMs, toMs, timezone, groupBy, filter: {}, rowsMax: 1000, ...(window === undefined ? {} : { window }) }
          const rows = await usageReader.calendar(meter, { ...request, ...(customers === undefined ? {} : { customers }) })
          const answer = rows.map((row) => [
            JSON.stringify([row.windowStartMs, ...groupBy.map((name) => (name === 'customer' ? row.customer : row.dimensions[name]))]),
            aggregateValue(aggregation, row),
          ])
          const inside = EVENTS.filter(
            ({ customer, occurredAtMs }) => occurredAtMs >= fromMs && occurredAtMs < toMs && (customers?.includes(customer) ?? true),
          )
          expect(new Map(answer as [string, bigint][])).toEqual(foldGroups(meter, inside, groupBy, window, timezone))
          expect(answer.length).toBe(new Set(answer.map(([name]) => name)).size)
          const only = customers === undefined ? {} : { customers }
          expect(await rowsByPages(meter, { ...request, ...only, rowsMax: pageRows })).toEqual(rows)
        },
      ),
      { numRuns: inLongRun(100, 25) },
    )
  })

  test('times that no event can be of hold none', async () => {
    for (const customer of ['', '&customer=acme']) {
      const { status, body } = await usage('tokens_sum', `from=1900-01-01T00:00:00.001Z&to=9999-12-31T23:59:59.999Z${customer}`)
      expect({ status, value: body.data[0].value }).toEqual({ status: 200, value: customer === '' ? '143.5' : '43.5' })
    }
  })

  test('customers asked for at the same time, each over a period of its own, have each the fold of their events', async () => {
    const customers = [...EVENTS.map(({ customer }) => customer), 'nobody' as CustomerKey]
    const near = fc.tuple(fc.constantFrom(...EVENTS), fc.integer({ min: -61_000, max: 61_000 })).map(([e, ms]) => e.occurredAtMs + ms)
    const asked = fc.record({
      customer: fc.constantFrom(...customers),
      bounds: fc.tuple(near, near).filter(([a, b]) => a !== b),
      aggregation: fc.constantFrom(...AGGREGATIONS),
      groupBy: fc.subarray(['model', 'region']),
      models: fc.constantFrom<(readonly string[] | null)[]>(null, ['large'], ['small', '']),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(asked, { minLength: 1, maxLength: 12 }), async (together) => {
        const answers = await Promise.all(
          together.map(async ({ customer, bounds, aggregation, groupBy, models }) => {
            const meter = orPresent(meters.get(`tokens_${aggregation}`))
            const period = { startMs: Math.min(...bounds) as InstantMs, endMs: Math.max(...bounds) as InstantMs }
            const shape = { meter, groupBy, filter: models === null ? {} : { model: models } }
            const rows = await usageReader.period(shape, customer, period)
            return rows.map((row) => [
              JSON.stringify([null, ...groupBy.map((name) => row.dimensions[name])]),
              aggregateValue(aggregation, row),
            ])
          }),
        )
        for (const [index, { customer, bounds, aggregation, groupBy, models }] of together.entries()) {
          const meter = orPresent(meters.get(`tokens_${aggregation}`))
          const counted = EVENTS.filter(
            (event) =>
              event.customer === customer &&
              event.occurredAtMs >= Math.min(...bounds) &&
              event.occurredAtMs < Math.max(...bounds) &&
              (models === null || models.includes(readDimensions(meter, JSON.parse(event.data)).model ?? '')),
          )
          expect(new Map(answers[index] as [string, bigint][])).toEqual(foldGroups(meter, counted, groupBy, undefined, 'UTC'))
        }
      }),
      { numRuns: inLongRun(40, 12) },
    )
  })

  test('asOf is now when the store has the whole log, else the latest receipt in the store', async () => {
    const offset = await eventLog.append(P0, new Uint8Array(1), NOW)
    expect((await usage('tokens_sum', '')).body.asOf).toBe(new Date(LAST_RECEIPT).toISOString())
    await usageStore.write({ events: [], windows: [], positions: [{ partition: P0, next: (offset + 1) as Offset }] })
    expect((await usage('tokens_sum', '')).body.asOf).toBe(new Date(NOW).toISOString())
  })

  test('events come newest first, page by page, and show the meters that could not count them', async () => {
    const seen: string[] = []
    let cursor = ''
    do {
      const { body } = await get(`/v1/events?limit=2${cursor}`)
      seen.push(...body.data.map(({ id }: { id: string }) => id))
      cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`
    } while (cursor !== '')
    expect(seen).toEqual(EVENTS.map(({ id }) => id).toReversed())

    const { body } = await get('/v1/events/broken%20%2F%20one?customer=acme')
    expect(body).toEqual({
      id: 'broken / one',
      source: 'default',
      type: 'llm',
      customer: 'acme',
      subject: null,
      time: '2026-03-20T00:00:00.000Z',
      receivedAt: '2026-03-31T11:00:00.000Z',
      data: { n: 'many', 'line\nbreak': [1, { deep: null }] },
      attributes: { traceparent: '00-1' },
      uncounted: ['avg', 'latest', 'max', 'min', 'sum'].map((name) => ({ meter: `tokens_${name}`, reason: 'not_a_number' })),
      rounded: [],
    })
  })

  test.each([
    { url: '/v1/events?customer=globex', ids: ['g1'] },
    { url: '/v1/events?type=nothing', ids: [] },
    { url: '/v1/events?from=2026-03-10T10:00:30Z&to=2026-03-29T00:00:00Z', ids: ['g1', 'broken / one', 'a3', 'a2'] },
  ])('$url', async ({ url, ids }) => {
    expect((await get(url)).body.data.map(({ id }: { id: string }) => id)).toEqual(ids)
  })

  test.each([
    { url: '/v1/events?cursor=abc', status: 400, code: 'invalid_cursor' },
    // Numbers that no column of the engine holds.
    { url: `/v1/events?cursor=${Buffer.from('1:9999999999:1:9999999999').toString('base64url')}`, status: 400, code: 'invalid_cursor' },
    { url: '/v1/events?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z', status: 400, code: 'invalid_request' },
    { url: '/v1/events?from=2026-03-02&to=2026-03-02', status: 400, code: 'invalid_request' },
    { url: '/v1/events?from=2016-12-31T12:00:60Z', status: 400, code: 'invalid_request' },
    { url: '/v1/events?search=x', status: 400, code: 'invalid_request' },
    { url: '/v1/events/a1?customer=acme&sources=x', status: 400, code: 'invalid_request' },
    { url: '/v1/events?limit=1001', status: 400, code: 'invalid_request' },
    { url: '/v1/events/a1', status: 400, code: 'invalid_request' },
    { url: '/v1/events/a1?customer=globex', status: 404, code: 'unknown_event' },
  ])('$url is $status $code', async ({ url, status, code }) => {
    expect(await get(url)).toMatchObject({ status, body: { code } })
  })

  test('times that no event can be of are asked for without a fault, a leap second too', async () => {
    for (const range of [
      'from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59.999Z',
      'from=2016-12-31T23:59:60Z',
      'from=0000-01-01',
      'to=9999-12-31',
    ]) {
      expect((await get(`/v1/events?${range}`)).status).toBe(200)
    }
  })

  test('a cursor goes on in its own list alone', async () => {
    const { nextCursor } = (await get('/v1/events?limit=1')).body
    expect((await get(`/v1/events?limit=1&cursor=${nextCursor}`)).status).toBe(200)
    expect(await get(`/v1/events?limit=1&customer=acme&cursor=${nextCursor}`)).toMatchObject({
      status: 400,
      body: { code: 'invalid_cursor' },
    })
  })

  describe('windows where the engine and the process have, or had, other clocks', () => {
    beforeAll(async () => {
      await makeMeter('z', 'sum', 'z')
      await count(CLOCK_EVENTS)
    })

    test.each([
      {
        what: 'British Columbia no longer goes back',
        query: 'customer=van&window=day&timezone=America/Vancouver&from=2026-11-18T00:00:00Z&to=2026-11-22T00:00:00Z',
        rows: ['2026-11-19T07:00 2026-11-20T07:00 1', '2026-11-20T07:00 2026-11-21T07:00 1'],
      },
      {
        what: 'an end inside a minute moves nothing',
        query: 'customer=van&window=day&timezone=America/Vancouver&from=2026-11-18T00:00:00Z&to=2026-11-20T07:30:45Z',
        rows: ['2026-11-19T07:00 2026-11-20T07:00 1', '2026-11-20T07:00 2026-11-21T07:00 1'],
      },
      {
        what: 'hours after a jump of half an hour',
        query: 'customer=lhi&window=hour&timezone=Australia/Lord_Howe&from=2026-10-03T00:00:00Z&to=2026-10-05T00:00:00Z',
        rows: ['2026-10-03T16:00 2026-10-03T17:00 1', '2026-10-03T17:00 2026-10-03T18:00 1'],
      },
      {
        what: 'the same whatever cuts the time',
        query: 'customer=lhi&window=hour&timezone=Australia/Lord_Howe&from=2026-10-03T16:39:30Z&to=2026-10-03T17:10:30.500Z',
        rows: ['2026-10-03T16:00 2026-10-03T17:00 1', '2026-10-03T17:00 2026-10-03T18:00 1'],
      },
      {
        what: 'weeks begin on Monday, and a date is its start in the zone',
        query: 'customer=van&window=week&timezone=America/Vancouver&from=2026-11-16&to=2026-11-20',
        rows: ['2026-11-16T07:00 2026-11-23T07:00 1'],
      },
      {
        what: 'decades of hours',
        query: 'customer=van&window=hour&timezone=America/Vancouver&from=1970-01-01&to=2106-01-01',
        rows: ['2026-11-20T06:00 2026-11-20T07:00 1', '2026-11-20T07:00 2026-11-20T08:00 1'],
      },
    ])('$what', async ({ query, rows }) => {
      const { status, body } = await usage('z', query)
      const shown = body.data.map((row: Record<string, string>) =>
        [row.windowStart?.slice(0, 16), row.windowEnd?.slice(0, 16), row.value].join(' '),
      )
      expect({ status, shown }).toEqual({ status: 200, shown: rows })
    })

    test('in any zone each event lies in one window, its own, whatever cuts the time', async () => {
      const zones = sampledZones(inLongRun(Number.POSITIVE_INFINITY, 10))
      const bound = fc
        .tuple(fc.constantFrom(...CLOCK_EVENTS), fc.integer({ min: -86_400_000, max: 86_400_000 }), fc.boolean())
        .map(([stored, ms, isNear]) => stored.occurredAtMs + (isNear ? ms % 90_000 : ms))
      await fc.assert(
        fc.asyncProperty(bound, bound, fc.constantFrom(...zones), fc.constantFrom(...CALENDAR_WINDOWS), async (a, b, timezone, window) => {
          const [fromMs, toMs] = [Math.min(a, b), Math.max(a, b) + 1] as [InstantMs, InstantMs]
          const range = `from=${new Date(fromMs).toISOString()}&to=${new Date(toMs).toISOString()}`
          const { body } = await usage('z', `window=${window}&timezone=${timezone}&${range}`)
          const inside = CLOCK_EVENTS.filter(({ occurredAtMs }) => occurredAtMs >= fromMs && occurredAtMs < toMs)
          const expected = Map.groupBy(inside, ({ occurredAtMs }) => calendarWindowAt(window, timezone, occurredAtMs).startMs)
          expect(body.data.map((row: { windowStart: string; value: string }) => [at(row.windowStart), Number(row.value)])).toEqual(
            [...expected].map(([startMs, events]) => [startMs, events.length] as const).sort(([x], [y]) => x - y),
          )
          for (const row of body.data as { windowStart: string; windowEnd: string; events: number }[]) {
            const within = inside.filter(({ occurredAtMs }) => occurredAtMs >= at(row.windowStart) && occurredAtMs < at(row.windowEnd))
            expect(within.length).toBe(row.events)
          }
        }),
        { numRuns: inLongRun(1_000, 25) },
      )
    })
  })
})

const day = (windowStart: string, windowEnd: string, value: string, events: number, model: string) => ({
  windowStart,
  windowEnd,
  value,
  events,
  customer: 'acme',
  dimensions: { model },
})

const LAST_RECEIPT = at('2026-03-31T11:00:00Z')
const event = (id: string, time: string, data: object, about: Partial<StoredEvent> = {}): Omit<StoredEvent, 'offset'> => ({
  id,
  source: 'default',
  type: 'llm',
  tenant: TENANT,
  customer: 'acme' as CustomerKey,
  subject: null,
  occurredAtMs: at(time),
  receivedAtMs: LAST_RECEIPT,
  data: JSON.stringify(data),
  attributes: null,
  partition: P0,
  index: 0,
  ...about,
})

const EVENTS: readonly StoredEvent[] = [
  event('a1', '2026-03-10T10:00:15.000Z', { n: 1, model: 'large' }),
  event('a2', '2026-03-10T10:00:45.500Z', { n: '0.5', model: 'large' }),
  event('a3', '2026-03-10T10:01:00.000Z', { n: 2, model: 'small', at: { region: 'eu' } }),
  event(
    'broken / one',
    '2026-03-20T00:00:00Z',
    { n: 'many', 'line\nbreak': [1, { deep: null }] },
    { attributes: '{"traceparent":"00-1"}' },
  ),
  event('g1', '2026-03-28T23:59:59.999Z', { n: 100 }, { customer: 'globex' as CustomerKey }),
  event('a4', '2026-03-29T03:00:00Z', { n: 40, model: 'small' }),
].map((draft, offset) => ({ ...draft, offset: offset as Offset }))

const clockEvent = (id: string, time: string, customer: string) =>
  event(id, time, { n: 1 }, { type: 'z', customer: customer as CustomerKey })
/** Near the jumps of some zones' clocks. */
const CLOCK_EVENTS: readonly StoredEvent[] = [
  clockEvent('v1', '2026-11-20T06:30:00Z', 'van'),
  clockEvent('v2', '2026-11-20T07:30:00Z', 'van'),
  clockEvent('l1', '2026-10-03T16:40:00Z', 'lhi'),
  clockEvent('l2', '2026-10-03T17:10:00Z', 'lhi'),
  clockEvent('l3', '2026-04-04T15:10:20.5Z', 'lhi2'),
  clockEvent('b1', '2026-10-25T00:59:59.999Z', 'ber'),
  clockEvent('b2', '2026-10-25T01:00:00Z', 'ber'),
].map((draft, at) => ({ ...draft, offset: (1_000 + at) as Offset }))

function foldWindows(meter: Meter, events: readonly StoredEvent[]): readonly WindowRow[] {
  return events.flatMap((stored) => {
    const aggregate = foldOne(meter, emptyAggregate, stored)
    if (aggregate.events === 0) return []
    return {
      ...aggregate,
      tenant: TENANT,
      meter: meter.key,
      revision: meter.revision,
      customer: stored.customer,
      windowStartMs: (Math.floor(stored.occurredAtMs / 60_000) * 60_000) as InstantMs,
      dimensions: readDimensions(meter, JSON.parse(stored.data)),
      partition: P0,
      chunk: stored.offset,
      version: stored.offset,
    }
  })
}

function foldOne(meter: Meter, aggregate: Aggregate, stored: StoredEvent): Aggregate {
  const reading = readMeterValue(meter, JSON.parse(stored.data))
  return reading === null ? aggregate : addToAggregate(aggregate, meter.aggregation, reading, stored)
}

/** The expected answer, from the events alone. */
function foldGroups(
  meter: Meter,
  events: readonly StoredEvent[],
  groupBy: readonly string[],
  window: 'day' | 'hour' | undefined,
  timezone: string,
): ReadonlyMap<string, bigint | null> {
  const groups = new Map<string, Aggregate>()
  for (const stored of events) {
    const aggregate = foldOne(meter, emptyAggregate, stored)
    if (aggregate.events === 0) continue
    const start = window === undefined ? null : DateTime.fromMillis(stored.occurredAtMs, { zone: timezone }).startOf(window).toMillis()
    const dimensions = readDimensions(meter, JSON.parse(stored.data))
    const name = JSON.stringify([start, ...groupBy.map((group) => (group === 'customer' ? stored.customer : dimensions[group]))])
    groups.set(name, foldOne(meter, groups.get(name) ?? emptyAggregate, stored))
  }
  return new Map([...groups].map(([name, aggregate]) => [name, aggregateValue(meter.aggregation, aggregate)]))
}

function orPresent<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('the test has not made this')
  return value
}
