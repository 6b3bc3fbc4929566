import fc from 'fast-check'
import { DateTime } from 'luxon'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  BACKFILL_CHUNK_BASE,
  type CustomerUsageQuery,
  type StoredEvent,
  type UsageQuery,
  type UsageRow,
  type UsageStore,
  type WindowRow,
} from '../../adapters/usage-store/usage-store.ts'
import { type CustomerKey, END_OF_TIME_MS, type TenantKey } from '../../domain/identity.ts'
import { eventHash, eventPrint, hashSeed } from '../../domain/metering/event-hash.ts'
import { type Aggregate, emptyAggregate, mergeAggregates } from '../../domain/metering/metering.ts'
import { seriesDay, seriesHash } from '../../domain/metering/series.ts'
import { type CalendarWindow, windowRuns } from '../../domain/time/calendar-windows.ts'
import { inLongRun } from '../support/long-run.ts'
import { customerUsageOf } from '../support/models/customer-usage-model.ts'
import { customer, flushOf, instant, meter, NOON, offset, partition, storedEvent, tenant, windowRow } from './usage-store-builders.ts'

export type UsageStorePlace = {
  /** Opens the store of this place and does not migrate it; the first time it is empty. */
  open(chunkRecords: number): Promise<UsageStore>
  /** Deletes the store. */
  remove(): Promise<void>
}

const CHUNK_RECORDS = 1000
const MINUTE = 60_000
const ODD_TEXTS = [
  'tab\t',
  'line\nbreak\r\n',
  `quotes ' " \``,
  'back\\slash \\N \\0',
  'nul \0 inside',
  '😀 ünï',
  '{curly}',
  '%',
  '\\',
  "'",
  '',
]

/** What every usage store must do. Each test has its own tenant, so one store serves all. */
export function describeUsageStore(name: string, openPlace: () => Promise<UsageStorePlace>): void {
  describe(`usage store: ${name}`, () => {
    let place: UsageStorePlace
    let store: UsageStore
    beforeAll(async () => {
      place = await openPlace()
      store = await place.open(CHUNK_RECORDS)
      await store.migrate()
    })
    afterAll(async () => {
      await store.stop()
      await place.remove()
    })

    let tenants = 0
    const newTenant = () => tenant(`tenant-${++tenants}`)
    const usageOf = ({ window, timezone = 'UTC', ...about }: Partial<UsageQuery> & Windows) => {
      const query = {
        tenant: tenant('default'),
        meter: meter('tokens'),
        revision: 1,
        fromMs: instant(0),
        toMs: instant(NOON + 400 * 86_400_000),
        groupBy: [],
        filter: {},
        rowsMax: 1000,
        ...about,
      }
      return store.usage(window === undefined ? query : { ...query, windows: windowRuns(window, timezone, query.fromMs, query.toMs) })
    }
    const scanned = async (scan: Parameters<UsageStore['scanEvents']>[0]) => (await collect(store.scanEvents(scan))).flat()
    const slicesOf = async (of: TenantKey, at = partition(0)) => {
      const slices: { windows: readonly WindowRow[]; events: readonly StoredEvent[] }[] = []
      for await (const { windows, events } of store.scanSlices({ tenant: of, partition: at })) {
        slices.push({ windows, events: (await collect(events)).flat() })
      }
      return slices
    }
    const windowsOf = async (of: TenantKey, at = partition(0)) => (await slicesOf(of, at)).flatMap(({ windows }) => windows)

    describe('life', () => {
      test('migrating again changes nothing, and the data outlives a restart', async () => {
        const of = newTenant()
        const event = storedEvent({ tenant: of })
        await store.write(flushOf({ events: [event], positions: [{ partition: partition(900), next: offset(1) }] }))
        await store.migrate()
        await store.stop()
        store = await place.open(CHUNK_RECORDS)
        await store.migrate()
        expect(store.chunkRecords()).toBe(CHUNK_RECORDS)
        expect(await scanned({ tenant: of })).toEqual([event])
        expect((await store.positions()).get(partition(900))).toBe(1)
      })

      test('another chunk size than at birth is refused, naming both', async () => {
        await store.stop()
        const other = await place.open(CHUNK_RECORDS + 1)
        await expect(other.migrate()).rejects.toMatchObject({
          code: 'usage_store_rejected',
          canRetry: false,
          message: expect.stringMatching(/1000.*1001/),
        })
        await other.stop()
        store = await place.open(CHUNK_RECORDS)
        await store.migrate()
      })

      test('answers a ping', async () => {
        await expect(store.ping()).resolves.toBeUndefined()
      })

      test('a statement that cannot work is a fault that no retry helps', async () => {
        await expect(store.query('SELECT nothing FROM nowhere')).rejects.toMatchObject({
          name: 'Fault',
          code: 'usage_store_rejected',
          canRetry: false,
        })
      })

      test('a write given up before it began leaves nothing, and can be made later', async () => {
        const of = newTenant()
        const flush = flushOf({ events: [storedEvent({ tenant: of })] })
        const reason = new Error('partition lost')
        await expect(store.write(flush, AbortSignal.abort(reason))).rejects.toBe(reason)
        expect(await scanned({ tenant: of })).toEqual([])
        await store.write(flush, new AbortController().signal)
        expect(await scanned({ tenant: of })).toHaveLength(1)
      })
    })

    describe('writes', () => {
      test('a flush written three times is there once', async () => {
        const of = newTenant()
        const events = [0, 1, 2].map((index) => storedEvent({ tenant: of, id: `e${index}`, index }))
        const windows = [windowRow({ tenant: of, events: 3, sum: 3n, min: 1n, max: 1n })]
        const flush = flushOf({ events, windows, positions: [{ partition: partition(901), next: offset(1) }] })
        for (let time = 0; time < 3; time++) await store.write(flush)
        expect(await scanned({ tenant: of })).toEqual(events)
        expect(await store.events({ tenant: of, limit: 10, bytesMax: 1e9 })).toHaveLength(3)
        expect(await windowsOf(of)).toEqual(windows)
        expect(await usageOf({ tenant: of })).toMatchObject([{ events: 3, sum: 3n }])
      })

      test('events encoded before their flush are stored with those that were not, each once', async () => {
        const of = newTenant()
        const events = Array.from({ length: 9 }, (_, index) =>
          storedEvent({
            tenant: of,
            id: `e${index}`,
            subject: index % 2 === 0 ? null : `s${index}`,
            data: `{"n":"${'ü'.repeat(index)}"}`,
            index,
          }),
        )
        const encodedEvents = [store.encodeEvents(events.slice(0, 4)), store.encodeEvents(events.slice(4, 7))]
        expect(encodedEvents.map(({ rows }) => rows)).toEqual([4, 3])
        const flush = { ...flushOf({ events: events.slice(7) }), encodedEvents }
        for (let time = 0; time < 2; time++) await store.write(flush)
        expect(await scanned({ tenant: of })).toEqual(events)
      })

      test('of a chunk written in part and in full, in any order, the full one holds', async () => {
        const part = { events: 1, sum: 10n, max: 10n, version: offset(4) }
        const full = { events: 3, sum: 35n, max: 20n, version: offset(9) }
        for (const order of [
          [part, full],
          [full, part],
        ]) {
          const of = newTenant()
          for (const about of order) await store.write(flushOf({ windows: [windowRow({ tenant: of, ...about })] }))
          await store.write(flushOf({ windows: [windowRow({ tenant: of, chunk: 1, sum: 100n, version: offset(1001) })] }))
          expect(await usageOf({ tenant: of })).toMatchObject([{ events: 4, sum: 135n, max: 20n }])
          expect((await windowsOf(of)).map(({ chunk, version }) => [chunk, version])).toEqual([
            [0, 9],
            [1, 1001],
          ])
        }
      })

      test('what one chunk holds of windows is found by their keys, each in its highest version', async () => {
        const of = newTenant()
        const hard = { model: 'a\tb\\\n', kind: "'x'" }
        const dimensionsOf = [{}, { kind: '', model: 'a' }, { kind: hard.kind, model: hard.model }]
        const wanted = dimensionsOf.flatMap((dimensions) =>
          ['acme', 'a\tb'].map((key) =>
            windowRow({ tenant: of, customer: customer(key), dimensions, chunk: 7, version: offset(7009), unique: ['u', "v'"], max: 4n }),
          ),
        )
        const others = wanted.flatMap((row) => [
          { ...row, version: offset(7001), sum: 99n },
          { ...row, chunk: 8, version: offset(8001) },
          { ...row, partition: partition(1) },
          { ...row, revision: 2 },
          { ...row, windowStartMs: instant(NOON + 60_000) },
          { ...row, dimensions: { ...row.dimensions, kind: 'other', model: 'a' } },
        ])
        await store.write(flushOf({ windows: others }))
        await store.write(flushOf({ windows: wanted }))
        const missing = { ...wanted[0], tenant: of, customer: customer('nobody') } as (typeof wanted)[number]
        const found = await store.windowRows({ partition: partition(0), chunk: 7 }, [...wanted, missing])
        const inOrder = (rows: readonly WindowRow[]) =>
          rows.map((row) => JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))).sort()
        expect(inOrder(found)).toEqual(inOrder(wanted))
        expect(await store.windowRows({ partition: partition(0), chunk: 7 }, [])).toEqual([])
      })

      test('the combinations of dimensions of a day, and of a meter, live and backfilled apart', async () => {
        const of = newTenant()
        const combinations = [
          { a: 'x', b: '' },
          { a: 'x', b: 'y' },
          { a: 'ä\n', b: '\t' },
          { a: '(other)', b: '(other)' },
        ]
        const rows = combinations.flatMap((dimensions, at) => [
          windowRow({ tenant: of, dimensions, chunk: at }),
          windowRow({ tenant: of, dimensions, chunk: at, version: offset(9), windowStartMs: instant(NOON + at * 60_000) }),
        ])
        const [first] = combinations
        const apart = { tenant: of, dimensions: { a: 'other', b: 'place' } }
        await store.write(
          flushOf({
            windows: [
              ...rows,
              windowRow({ ...apart, partition: partition(1) }),
              windowRow({ ...apart, windowStartMs: instant(NOON - 86_400_000) }),
              windowRow({ ...apart, customer: customer('globex') }),
              windowRow({ tenant: of, dimensions: first ?? {}, chunk: BACKFILL_CHUNK_BASE + 3 }),
            ],
          }),
        )
        const sorted = (hashes: readonly number[] | null | undefined) => hashes?.toSorted((x, y) => x - y)
        const hashesOf = (some: readonly Readonly<Record<string, string>>[]) => sorted(some.map((each) => seriesHash(Object.values(each))))
        const revision = { tenant: of, meter: meter('tokens'), revision: 1 }
        const day = { ...revision, customer: customer('acme'), day: seriesDay(instant(NOON)) }
        const without = { ...day, day: day.day + 1 }
        const live = await store.seriesOfDays({ partition: partition(0), isBackfilled: false }, [day, without])
        expect([...live.keys()]).toEqual([day])
        expect(sorted(live.get(day))).toEqual(hashesOf(combinations))
        const backfilled = await store.seriesOfDays({ partition: partition(0), isBackfilled: true }, [day])
        expect(sorted(backfilled.get(day))).toEqual(hashesOf([first ?? {}]))
        const ofMeters = await store.seriesOfMeters([{ ...revision, revision: 2 }, revision], false, 5)
        expect(ofMeters.map(sorted)).toEqual([[], hashesOf([...combinations, apart.dimensions])])
        expect(await store.seriesOfMeters([revision], false, 4)).toEqual([null])
      })

      test('chunks of several partitions and of a backfill add up', async () => {
        const of = newTenant()
        const rows = [
          windowRow({ tenant: of, sum: 1n }),
          windowRow({ tenant: of, sum: 10n, partition: partition(1) }),
          windowRow({ tenant: of, sum: 100n, chunk: 2 ** 48 }),
        ]
        await store.write(flushOf({ windows: rows }))
        expect(await usageOf({ tenant: of })).toMatchObject([{ events: 3, sum: 111n }])
        expect(await windowsOf(of, partition(1))).toEqual([rows[1]])
      })

      test('a position never goes back', async () => {
        for (const next of [5, 9, 7]) {
          await store.write(flushOf({ positions: [{ partition: partition(902), next: offset(next) }] }))
        }
        expect((await store.positions()).get(partition(902))).toBe(9)
      })

      test('windows of two hundred months go in at once', async () => {
        const of = newTenant()
        const months = Array.from({ length: 200 }, (_, month) => instant(Date.UTC(2000, month, 1)))
        await store.write(flushOf({ windows: months.map((windowStartMs) => windowRow({ tenant: of, windowStartMs, sum: 1n })) }))
        expect(await usageOf({ tenant: of })).toMatchObject([{ events: 200, sum: 200n }])
      })
    })

    describe('exactness', () => {
      test('38 digits come back digit by digit, and their sum beyond', async () => {
        const of = newTenant()
        const most = 99_999_999_999_999_999_999_999_999_999_123_456_789n
        const rows = [0, 1, 2].map((chunk) =>
          windowRow({
            tenant: of,
            chunk,
            sum: most,
            min: -most,
            max: most,
            latest: { value: -most, occurredAtMs: instant(NOON + 1), offset: offset(chunk), index: 0 },
          }),
        )
        await store.write(flushOf({ windows: rows }))
        expect(await windowsOf(of)).toEqual(rows)
        expect(await usageOf({ tenant: of })).toMatchObject([{ sum: 3n * most, min: -most, max: most, latest: -most }])
      })

      // Stores read a date, or ten digits of seconds; each case stands at the edge of the other.
      test('instants from 1970 to 2200 come back to the millisecond', async () => {
        const of = newTenant()
        const instants = [0, 1, 999_999_999_999, 1_000_000_000_000, 1_700_158_623_009, 4_102_444_800_999, 7_258_118_399_999]
        const events = instants.map((ms, index) => storedEvent({ tenant: of, occurredAtMs: instant(ms), id: `e${index}`, index }))
        const windows = instants.slice(0, -1).map((ms, chunk) =>
          windowRow({
            tenant: of,
            chunk,
            windowStartMs: instant(ms - (ms % 60_000)),
            latest: { value: 1n, occurredAtMs: instant(ms), offset: offset(chunk), index: 0 },
          }),
        )
        await store.write(flushOf({ events, windows }))
        expect(await scanned({ tenant: of })).toEqual(events)
        expect((await windowsOf(of)).sort((a, b) => a.chunk - b.chunk)).toEqual(windows)
      })

      test('numbers beyond 53 bits leave a query as strings', async () => {
        const rows = await store.query(
          "SELECT toUInt64('18446744073709551615') AS big, toDecimal128('1.1', 9) AS exact, {n:UInt8} AS given",
          {
            n: 7,
          },
        )
        expect(rows).toEqual([{ big: '18446744073709551615', exact: '1.1', given: 7 }])
      })

      test('odd strings come back as they went in, wherever they stand', async () => {
        const of = newTenant()
        const events = ODD_TEXTS.map((text, index) =>
          storedEvent({
            tenant: of,
            customer: customer(`c${text}`),
            source: `s${text}`,
            id: `i${text}`,
            type: `t${text}`,
            subject: text,
            data: JSON.stringify({ [`k${text}`]: text }),
            attributes: text,
            index,
          }),
        )
        const windows = ODD_TEXTS.map((text, chunk) =>
          windowRow({
            tenant: of,
            meter: meter(`m${text}`),
            customer: customer(`c${text}`),
            dimensions: { [`d${text}`]: text, other: `${text}${text}` },
            unique: [text, `${text}.`],
            chunk,
          }),
        )
        await store.write(flushOf({ events, windows }))
        expect(await scanned({ tenant: of })).toEqual(events)
        const byChunk = (await windowsOf(of)).toSorted((a, b) => a.chunk - b.chunk)
        expect(byChunk).toEqual(windows)
        const found = await store.findEvents(events, instant(0))
        for (const event of events) {
          expect(found.get(event)?.index).toBe(event.index)
          expect(
            await store.events({
              tenant: of,
              customer: event.customer,
              types: [event.type],
              source: event.source,
              id: event.id,
              limit: 2,
              bytesMax: 1e9,
            }),
          ).toEqual([event])
        }
        for (const [at, text] of ODD_TEXTS.entries()) {
          const dimension = `d${text}`
          const rows = await usageOf({
            tenant: of,
            meter: meter(`m${text}`),
            customers: [customer(`c${text}`)],
            groupBy: [dimension, 'customer'],
            filter: { [dimension]: [text] },
          })
          expect(rows).toMatchObject([{ customer: `c${text}`, dimensions: { [dimension]: text }, unique: windows[at]?.unique.toSorted() }])
        }
      })
    })

    describe('usage', () => {
      const of = tenant('usage')
      const at = (text: string) => instant(Date.parse(text))
      beforeAll(async () => {
        const rows: Partial<WindowRow>[] = [
          { windowStartMs: at('2024-02-29T23:59:00Z'), dimensions: { model: 'a', region: '' }, sum: 1n },
          { windowStartMs: at('2024-03-01T00:00:00Z'), dimensions: { model: 'a', region: 'eu' }, sum: 2n },
          { windowStartMs: at('2024-03-31T01:30:00Z'), dimensions: { model: 'b', region: 'eu' }, sum: 4n, customer: customer('globex') },
          { windowStartMs: at('2024-03-31T22:00:00Z'), dimensions: { model: 'b', region: 'us' }, sum: 8n },
        ]
        await store.write(
          flushOf({
            windows: [
              ...rows.map((row) => windowRow({ tenant: of, ...row })),
              windowRow({ tenant: of, revision: 2, sum: 1000n }),
              windowRow({ tenant: of, meter: meter('other'), sum: 1000n }),
              windowRow({ tenant: tenant('usage-of-another'), sum: 1000n }),
            ],
          }),
        )
      })

      test.each([
        { what: 'no window', about: {}, rows: [[null, 15n]] },
        {
          what: 'bounds are half-open',
          about: { fromMs: at('2024-03-01T00:00:00Z'), toMs: at('2024-03-31T22:00:00Z') },
          rows: [[null, 6n]],
        },
        { what: 'an end beyond all time', about: { toMs: instant(253_402_300_740_000) }, rows: [[null, 15n]] },
        { what: 'customers', about: { customers: [customer('acme'), customer('nobody')] }, rows: [[null, 11n]] },
        { what: 'no customer at all', about: { customers: [] }, rows: [] },
        { what: 'a filter', about: { filter: { model: ['b'], region: ['eu', 'us'] } }, rows: [[null, 12n]] },
        { what: 'a filter on an absent value', about: { filter: { region: [''] } }, rows: [[null, 1n]] },
        {
          what: 'minutes',
          about: { window: 'minute' as const, filter: { model: ['a'] } },
          rows: [
            ['2024-02-29T23:59:00Z', 1n],
            ['2024-03-01T00:00:00Z', 2n],
          ],
        },
        {
          what: 'hours of a zone half an hour off',
          about: { window: 'hour' as const, timezone: 'Asia/Kolkata', filter: { model: ['b'] } },
          rows: [
            ['2024-03-31T01:30:00Z', 4n],
            ['2024-03-31T21:30:00Z', 8n],
          ],
        },
        {
          what: 'days',
          about: { window: 'day' as const },
          rows: [
            ['2024-02-29T00:00:00Z', 1n],
            ['2024-03-01T00:00:00Z', 2n],
            ['2024-03-31T00:00:00Z', 12n],
          ],
        },
        {
          what: 'days of a zone whose clocks change',
          about: { window: 'day' as const, timezone: 'Europe/Berlin' },
          rows: [
            ['2024-02-29T23:00:00Z', 3n],
            ['2024-03-30T23:00:00Z', 4n],
            ['2024-03-31T22:00:00Z', 8n],
          ],
        },
        {
          what: 'hours of a day on which the clocks jump by half an hour',
          about: { window: 'hour' as const, timezone: 'Australia/Lord_Howe', fromMs: at('2024-03-30T00:00:00Z'), filter: { model: ['b'] } },
          rows: [
            ['2024-03-31T01:00:00Z', 4n],
            ['2024-03-31T22:00:00Z', 8n],
          ],
        },
        {
          what: 'weeks',
          about: { window: 'week' as const },
          rows: [
            ['2024-02-26T00:00:00Z', 3n],
            ['2024-03-25T00:00:00Z', 12n],
          ],
        },
        {
          what: 'months',
          about: { window: 'month' as const },
          rows: [
            ['2024-02-01T00:00:00Z', 1n],
            ['2024-03-01T00:00:00Z', 14n],
          ],
        },
        {
          what: 'months of a zone',
          about: { window: 'month' as const, timezone: 'Europe/Berlin' },
          rows: [
            ['2024-02-29T23:00:00Z', 7n],
            ['2024-03-31T22:00:00Z', 8n],
          ],
        },
      ])('$what', async ({ about, rows }) => {
        const expected = rows.map(([start, sum]) => [start === null ? null : Date.parse(String(start)), sum])
        expect((await usageOf({ tenant: of, ...about })).map((row) => [row.windowStartMs, row.sum])).toEqual(expected)
      })

      test('groups by customer and dimensions, in their order', async () => {
        const rows = await usageOf({ tenant: of, groupBy: ['model', 'customer'] })
        expect(rows.map(({ customer, dimensions, sum }) => [customer, dimensions, sum])).toEqual([
          ['acme', { model: 'a' }, 3n],
          ['acme', { model: 'b' }, 8n],
          ['globex', { model: 'b' }, 4n],
        ])
      })

      test('a dimension that no row has groups as empty', async () => {
        expect(await usageOf({ tenant: of, groupBy: ['nothing'] })).toMatchObject([{ dimensions: { nothing: '' }, sum: 15n }])
      })

      test('one row too many is refused', async () => {
        expect(await usageOf({ tenant: of, groupBy: ['region'], rowsMax: 3 })).toHaveLength(3)
        await expect(usageOf({ tenant: of, groupBy: ['region'], rowsMax: 2 })).rejects.toMatchObject({ refusal: { code: 'too_many_rows' } })
      })

      test('the latest value is that of the latest event, then of the later place in the log', async () => {
        const tenantOf = newTenant()
        const latest = (value: bigint, ms: number, at: number, index: number) => ({
          value,
          occurredAtMs: instant(NOON + ms),
          offset: offset(at),
          index,
        })
        await store.write(
          flushOf({
            windows: [
              windowRow({ tenant: tenantOf, chunk: 0, latest: latest(1n, 9, 900, 3) }),
              windowRow({ tenant: tenantOf, chunk: 1, latest: latest(2n, 9, 1100, 2) }),
              windowRow({ tenant: tenantOf, chunk: 2, latest: latest(3n, 9, 1100, 1) }),
              windowRow({ tenant: tenantOf, chunk: 3, latest: latest(4n, 8, 9000, 9) }),
              windowRow({ tenant: tenantOf, chunk: 4, latest: null }),
            ],
          }),
        )
        expect(await usageOf({ tenant: tenantOf })).toMatchObject([
          { latest: 2n, latestAtMs: NOON + 9, latestOffset: 1100, latestIndex: 2 },
        ])
      })

      test.each([
        { aggregation: 'sum' as const, about: { sum: 9n } },
        { aggregation: 'count' as const, about: { sum: 9n } },
        { aggregation: 'avg' as const, about: { sum: 9n } },
        { aggregation: 'min' as const, about: { min: 1n } },
        { aggregation: 'max' as const, about: { max: 5n } },
        { aggregation: 'latest' as const, about: { latest: 3n, latestAtMs: NOON, latestOffset: 7, latestIndex: 2 } },
        { aggregation: 'unique' as const, about: { unique: ['p', 'q'] } },
      ])('asked for $aggregation, a row has what answers it and nothing else', async ({ aggregation, about }) => {
        const tenantOf = newTenant()
        const latest = { value: 3n, occurredAtMs: NOON, offset: offset(7), index: 2 }
        await store.write(flushOf({ windows: [windowRow({ tenant: tenantOf, sum: 9n, min: 1n, max: 5n, latest, unique: ['p', 'q'] })] }))
        const nothing = { sum: 0n, min: null, max: null, latest: null, latestAtMs: null, latestOffset: null, latestIndex: null, unique: [] }
        const row = { windowStartMs: null, customer: null, dimensions: {}, events: 1, ...nothing, ...about }
        expect(await usageOf({ tenant: tenantOf, aggregation })).toEqual([row])
      })

      test('any rows, cut into chunks and written in any order, answer as their merge', async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(windowArbitrary, { minLength: 1, maxLength: 40 }), groupingArbitrary, async (drafts, grouping) => {
            const tenantOf = newTenant()
            const rows = drafts.map((draft, chunk) => windowRow({ ...draft, tenant: tenantOf, chunk, version: offset(chunk) }))
            const half = Math.ceil(rows.length / 2)
            await store.write(flushOf({ windows: rows.slice(half) }))
            await store.write(flushOf({ windows: rows }))
            expect(await usageOf({ tenant: tenantOf, ...grouping })).toEqual(mergedRows(rows, grouping))
          }),
          { numRuns: inLongRun(40, 12) },
        )
      })
    })

    describe('usage of many customers', () => {
      const asked = (about: Partial<CustomerUsageQuery>): CustomerUsageQuery => ({
        tenant: tenant('default'),
        meter: meter('tokens'),
        revision: 1,
        periods: new Map(),
        groupBy: [],
        filter: {},
        rowsMax: 1000,
        ...about,
      })
      const usageOfCustomers = (about: Partial<CustomerUsageQuery>) => store.usageOfCustomers(asked(about))
      const modelled = (rows: readonly WindowRow[], about: Partial<CustomerUsageQuery>) =>
        customerUsageOf(rows, asked(about), CHUNK_RECORDS).map((row) => ({ ...row, unique: row.unique.toSorted() }))

      // Few minutes, so that periods cut minutes that hold usage.
      const dimensions = fc.record({ model: fc.constantFrom('', 'a', 'b', '(other)'), 10: fc.constantFrom('x', 'y') })
      const fewMinutes = fc.record({ ...windowFields, dimensions, windowStartMs: minuteArbitrary(6) })
      const bound = fc.oneof(
        fc.integer({ min: -MINUTE, max: 7 * MINUTE }).map((ms) => instant(NOON + ms)),
        minuteArbitrary(6),
        fc.constantFrom(instant(-400 * MINUTE), instant(-300 * MINUTE), END_OF_TIME_MS),
      )
      /** Ascending, without overlap: some of the periods between any bounds, many of them shorter than a minute. */
      const periodsOfOne = fc.tuple(fc.uniqueArray(bound, { maxLength: 6 }), fc.nat()).map(([bounds, chosen]) => {
        const sorted = bounds.toSorted((a, b) => a - b)
        return sorted.slice(1).flatMap((endMs, at) => ((chosen >> at) % 2 === 0 ? [{ startMs: sorted[at] ?? endMs, endMs }] : []))
      })
      const periodsOfAll = fc
        .dictionary(fc.constantFrom('acme', 'globex', 'nobody'), periodsOfOne, { minKeys: 1 })
        .map((byCustomer) => new Map(Object.entries(byCustomer).map(([key, ofKey]) => [customer(key), ofKey])))

      const filters = fc.constantFrom({}, { model: ['a'] }, { model: ['a', ''], 10: ['b'] })

      test('each over periods of its own: their whole minutes, and apart the ones they cut and what counts as (other)', async () => {
        const drafts = fc.array(fewMinutes, { minLength: 1, maxLength: 40 })
        await fc.assert(
          fc.asyncProperty(drafts, periodsOfAll, fc.subarray(['model', '10']), filters, async (windows, periods, groupBy, filter) => {
            const tenantOf = newTenant()
            const rows = windows.map((draft, chunk) => windowRow({ ...draft, tenant: tenantOf, chunk, version: offset(chunk) }))
            const others = windowRow({ ...rows[0], revision: 2, chunk: 99 })
            await store.write(flushOf({ windows: [...rows.slice(1), others] }))
            await store.write(flushOf({ windows: rows }))
            const expected = modelled(rows, { tenant: tenantOf, periods, groupBy, filter })
            const found = await usageOfCustomers({ tenant: tenantOf, periods, groupBy, filter })
            expect(found).toHaveLength(expected.length)
            expect(found).toEqual(expect.arrayContaining(expected))
          }),
          { numRuns: inLongRun(60, 20) },
        )
      })

      test('as of cut-offs: nothing of later chunks, and apart the windows that were folded further, those of a backfill among them', async () => {
        const placed = fc.record({
          draft: fewMinutes,
          partition: fc.integer({ min: 0, max: 2 }).map(partition),
          versions: fc.array(fc.nat(4 * CHUNK_RECORDS - 1), { minLength: 1, maxLength: 3 }),
          isBackfilled: fc.boolean(),
        })
        const cutOffs = fc
          .dictionary(fc.constantFrom('0', '1'), fc.oneof(fc.nat(4 * CHUNK_RECORDS), fc.constantFrom(0, 1000, 2000)))
          .map((byPartition) => new Map(Object.entries(byPartition).map(([key, cutOff]) => [partition(Number(key)), offset(cutOff)])))
        await fc.assert(
          fc.asyncProperty(fc.array(placed, { minLength: 1, maxLength: 40 }), periodsOfAll, cutOffs, async (windows, periods, before) => {
            const tenantOf = newTenant()
            const rows = windows.flatMap(({ draft, partition: of, versions, isBackfilled }) =>
              versions.map((version) => {
                const chunk = Math.floor(version / CHUNK_RECORDS) + (isBackfilled ? BACKFILL_CHUNK_BASE : 0)
                return windowRow({ ...draft, tenant: tenantOf, partition: of, chunk, version: offset(version) })
              }),
            )
            await store.write(flushOf({ windows: rows.filter((_, at) => at % 2 === 0) }))
            await store.write(flushOf({ windows: rows }))
            const latest = new Map(rows.toSorted((a, b) => a.version - b.version).map((row) => [placeOfWindow(row), row]))
            const query = { tenant: tenantOf, periods, cutOffs: before, groupBy: ['model'] }
            const expected = modelled([...latest.values()], query)
            const found = await usageOfCustomers(query)
            expect(found).toHaveLength(expected.length)
            expect(found).toEqual(expect.arrayContaining(expected))
          }),
          { numRuns: inLongRun(60, 20) },
        )
      })

      test('filtered, and null where there are more rows than wanted', async () => {
        const of = newTenant()
        const keys = ODD_TEXTS.map((text) => customer(`c${text}`))
        await store.write(
          flushOf({
            windows: keys.flatMap((key, chunk) => [
              windowRow({ tenant: of, customer: key, chunk, dimensions: { model: 'a' }, sum: BigInt(chunk) }),
              windowRow({ tenant: of, customer: key, chunk, dimensions: { model: 'b' }, sum: 1000n }),
            ]),
          }),
        )
        const periods = new Map(keys.map((key) => [key, [{ startMs: NOON, endMs: instant(NOON + MINUTE) }]]))
        const ofA = await usageOfCustomers({ tenant: of, periods, filter: { model: ['a'] }, rowsMax: keys.length })
        expect(new Map(ofA?.map((row) => [row.customer, row.sum]))).toEqual(new Map(keys.map((key, at) => [key, BigInt(at)])))
        expect(await usageOfCustomers({ tenant: of, periods, filter: { model: ['a'] }, rowsMax: keys.length - 1 })).toBeNull()
        expect(await usageOfCustomers({ tenant: of, periods: new Map() })).toEqual([])
      })
    })

    describe('finding events', () => {
      test('the lowest position of the very key, among those received late enough', async () => {
        const of = newTenant()
        const base = { tenant: of, customer: customer('acme'), source: 'sdk', id: 'x' }
        await store.write(
          flushOf({
            events: [
              storedEvent({ ...base, offset: offset(7), index: 1, receivedAtMs: instant(NOON + 70) }),
              storedEvent({ ...base, offset: offset(7), index: 0, receivedAtMs: instant(NOON + 70) }),
              storedEvent({ ...base, offset: offset(3), index: 9, receivedAtMs: instant(NOON + 30), partition: partition(2) }),
              storedEvent({ ...base, source: 'other', offset: offset(1) }),
              storedEvent({ ...base, customer: customer('globex'), offset: offset(1) }),
              storedEvent({ ...base, tenant: tenant('another'), offset: offset(1) }),
            ],
          }),
        )
        const unknown = [
          { ...base, id: 'X' },
          { ...base, source: 'SDK' },
          { ...base, customer: customer('globe') },
        ]
        const twin = { ...base }
        const found = await store.findEvents([base, twin, ...unknown], instant(NOON))
        expect([...found]).toEqual([
          [base, { partition: 2, offset: 3, index: 9, receivedAtMs: NOON + 30 }],
          [twin, { partition: 2, offset: 3, index: 9, receivedAtMs: NOON + 30 }],
        ])
        const later = await store.findEvents([base], instant(NOON + 31))
        expect(later.get(base)).toMatchObject({ offset: 7, index: 0 })
        expect((await store.findEvents([base], instant(NOON + 71))).size).toBe(0)
        expect((await store.findEvents([], instant(0))).size).toBe(0)
      })

      test('twelve thousand keys at once, half of them known', async () => {
        const of = newTenant()
        const keys = Array.from({ length: 12_000 }, (_, n) => ({
          tenant: of,
          customer: customer(`c${n % 500}`),
          source: 'default',
          id: `event-${n}`,
        }))
        const known = keys.filter((_, n) => n % 2 === 0)
        await store.write(flushOf({ events: known.map((key, n) => storedEvent({ ...key, offset: offset(n) })) }))
        const found = await store.findEvents(keys, instant(0))
        expect(found.size).toBe(known.length)
        for (const [n, key] of known.entries()) expect(found.get(key)?.offset).toBe(n)
      })
    })

    describe('scans', () => {
      test('many events come in bounded arrays, each once, in the order of the log', async () => {
        const of = newTenant()
        const events = Array.from({ length: 50_000 }, (_, n) =>
          storedEvent({
            tenant: of,
            customer: customer(`c${(n * 7) % 100}`),
            id: `e${n}`,
            partition: partition(903 + (n % 2)),
            offset: offset(1_000_000 + Math.floor(n / 20)),
            index: Math.floor(n / 2) % 10,
          }),
        )
        const backwards = events.toReversed()
        await store.write(flushOf({ events: backwards }))
        await store.write(flushOf({ events: backwards.slice(0, 1000) }))
        const parts = await collect(store.scanEvents({ tenant: of }))
        expect(parts.length).toBeGreaterThan(2)
        for (const part of parts) expect(part.length).toBeLessThanOrEqual(20_000)
        const order = (event: StoredEvent) => event.partition * 1e12 + event.offset * 100 + event.index
        expect(parts.flat()).toEqual(events.toSorted((a, b) => order(a) - order(b)))

        const toOffset = offset(1_000_100)
        const wanted = events.filter((event) => event.partition === 903 && event.offset < toOffset)
        const scan = { partition: partition(903), toOffset, spanMs: 60_000 }
        const pages = await collect(store.scanEventHashes({ ...scan, receivedFromMs: instant(0) }))
        expect(pages.map(({ spanStartMs }) => spanStartMs)).toEqual([NOON])
        expect(new Set(pages[0]?.hashes)).toEqual(new Set(wanted.map(hashOf)))
        expect(pages[0]?.hashes).toEqual(pages[0]?.hashes.toSorted())
        expect(await collect(store.scanEventHashes({ ...scan, receivedFromMs: instant(NOON + 501) }))).toEqual([])
      })

      test('hashes are those of the event hash, whatever the texts are', async () => {
        const of = newTenant()
        const texts = fc.string({ unit: 'grapheme', maxLength: 40 })
        const random = fc.sample(fc.record({ customer: texts.map(customer), source: texts, id: texts }), { numRuns: 300, seed: 1 })
        const lengths = Array.from({ length: 20 }, (_, n) => ({
          customer: customer('a'.repeat(n)),
          source: 'ß'.repeat(n),
          id: '0'.repeat(n),
        }))
        const events = [...random, ...lengths].map((each, n) =>
          storedEvent({ ...each, tenant: of, partition: partition(905), offset: offset(n), receivedAtMs: instant(NOON + (n % 3) * 1_000) }),
        )
        await store.write(flushOf({ events }))
        const scan = { partition: partition(905), toOffset: offset(events.length), receivedFromMs: instant(NOON), spanMs: 1_000 }
        const pages = await collect(store.scanEventHashes(scan))
        expect(pages.map(({ spanStartMs }) => spanStartMs)).toEqual([NOON, NOON + 1_000, NOON + 2_000])
        for (const { spanStartMs, hashes } of pages) {
          const wanted = events.filter(({ receivedAtMs }) => receivedAtMs === spanStartMs).map(hashOf)
          expect(hashes).toEqual(Float64Array.from(wanted).sort())
        }
      })

      test.each([
        { what: 'types', scan: { types: ['b', 'c'] }, ids: ['2'] },
        { what: 'customers', scan: { customers: [customer('globex'), customer('nobody')] }, ids: ['3'] },
        { what: 'a time, half-open', scan: { fromMs: instant(NOON + 2), toMs: instant(NOON + 4) }, ids: ['2', '3'] },
        { what: 'offsets, half-open', scan: { partition: partition(0), fromOffset: offset(2), toOffset: offset(4) }, ids: ['2', '3'] },
        { what: 'some offsets', scan: { partition: partition(0), offsets: [offset(1), offset(3), offset(4)] }, ids: ['1', '3'] },
        { what: 'customers after one', scan: { afterCustomer: customer('acme') }, ids: ['3'] },
        { what: 'customers up to one', scan: { toCustomer: customer('acme') }, ids: ['1', '2', '4'] },
        { what: 'a partition', scan: { partition: partition(1) }, ids: ['4'] },
        { what: 'a time of receipt', scan: { receivedFromMs: instant(NOON + 14) }, ids: ['4'] },
      ])('scans by $what', async ({ scan, ids }) => {
        const of = newTenant()
        const events = [1, 2, 3, 4].map((n) =>
          storedEvent({
            tenant: of,
            id: String(n),
            type: n === 2 ? 'b' : 'a',
            customer: customer(n === 3 ? 'globex' : 'acme'),
            partition: partition(n === 4 ? 1 : 0),
            offset: offset(n),
            occurredAtMs: instant(NOON + n),
            receivedAtMs: instant(NOON + 10 + n),
          }),
        )
        await store.write(flushOf({ events }))
        expect((await scanned({ tenant: of, ...scan })).map(({ id }) => id)).toEqual(ids)
      })

      test('scans by minutes of customers, to their last millisecond, whatever the key', async () => {
        const of = newTenant()
        const instants = [NOON - 1, NOON, NOON + MINUTE - 1, NOON + MINUTE].map(instant)
        const keys = ODD_TEXTS.map((text) => customer(`c${text}`))
        const events = keys.flatMap((key, at) =>
          instants.map((occurredAtMs, n) => storedEvent({ tenant: of, customer: key, occurredAtMs, offset: offset(at), index: n })),
        )
        await store.write(flushOf({ events }))
        for (const [startMs, indexes] of [
          [NOON, [1, 2]],
          [instant(NOON + MINUTE), [3]],
          [instant(NOON + 2 * MINUTE), []],
        ] as const) {
          const wanted = keys.slice(1).map((key) => ({ customer: key, startMs }))
          const found = await scanned({ tenant: of, minutes: wanted })
          expect(found).toEqual(events.filter((event) => event.customer !== keys[0] && indexes.some((index) => index === event.index)))
        }
        expect(await scanned({ tenant: of, minutes: [] })).toEqual([])
      })

      test('slices have every event and every window once, with what a window holds beside it', async () => {
        const of = newTenant()
        const at = partition(906)
        const customerOf = (n: number) => customer(n % 2 === 0 ? 'm-busy' : `c${n % 500}`)
        const events = Array.from({ length: 60_000 }, (_, n) =>
          storedEvent({
            ...{ tenant: of, customer: customerOf(n), id: `e${n}`, partition: at, offset: offset(n) },
            occurredAtMs: instant(NOON + Math.floor(n / 50) * MINUTE + (n % 7)),
          }),
        )
        const held = new Map(events.map((event) => [placeInTime(event.customer, event.occurredAtMs), event]))
        const windows = [...held.values()].map(({ customer: of_, occurredAtMs }) => ({ customer: of_, occurredAtMs }))
        const lone = ['0-first', 'm', 'm-busz', 'z-last'].map((key) => ({ customer: customer(key), occurredAtMs: instant(NOON + MINUTE) }))
        const rows = [...windows, ...lone].map(({ customer: key, occurredAtMs }) =>
          windowRow({ tenant: of, customer: key, partition: at, windowStartMs: instant(occurredAtMs - (occurredAtMs % MINUTE)) }),
        )
        await store.write(flushOf({ events, windows: rows }))
        await store.write(flushOf({ events: events.slice(0, 1_000), windows: rows.slice(0, 1_000) }))
        await store.write(flushOf({ events: [storedEvent({ tenant: of })], windows: [windowRow({ tenant: of })] }))
        const slices = await slicesOf(of, at)
        for (const slice of slices) expect(slice.events.length).toBeLessThanOrEqual(25_000)
        const idsIn = slices.flatMap((slice) => slice.events.map(({ id }) => id))
        expect(idsIn.toSorted()).toEqual(events.map(({ id }) => id).toSorted())
        const keyOf = (row: WindowRow) => placeInTime(row.customer, row.windowStartMs)
        expect(slices.flatMap((slice) => slice.windows.map(keyOf)).toSorted()).toEqual(rows.map(keyOf).toSorted())
        for (const slice of slices) {
          const wanted = new Set(slice.events.map((event) => placeInTime(event.customer, event.occurredAtMs)))
          expect(new Set(slice.windows.map(keyOf))).toEqual(
            new Set([...wanted, ...slice.windows.map(keyOf).filter((key) => !held.has(key))]),
          )
        }
      })

      test('prints are those of what is stored, in the order of the log', async () => {
        const of = newTenant()
        const texts = fc.string({ unit: 'grapheme', maxLength: 60 })
        const about = fc.record({
          ...{ id: texts, source: texts, type: texts, data: texts, subject: fc.option(texts), attributes: fc.option(texts) },
          occurredAtMs: fc.integer({ min: 0, max: 4e12 }).map(instant),
        })
        const events = fc
          .sample(about, { numRuns: 200, seed: 2 })
          .map((each, n) =>
            storedEvent({ ...each, tenant: of, partition: partition(907), offset: offset(Math.floor(n / 3)), index: n % 3 }),
          )
        await store.write(flushOf({ events: events.toReversed() }))
        const bounds = { partition: partition(907), fromOffset: offset(3), toOffset: offset(50) }
        const prints = (await collect(store.scanEventPrints(bounds))).flatMap((page) => [...page])
        const wanted = events.filter((event) => event.offset >= 3 && event.offset < 50)
        expect(prints).toEqual(wanted.flatMap((event) => [event.offset, event.index, eventPrint(of, event, event.receivedAtMs)]))
      })
    })

    describe('listing events', () => {
      test('newest first, page by page, over rewrites and equal times', async () => {
        const of = newTenant()
        const events = Array.from({ length: 25 }, (_, n) =>
          storedEvent({ tenant: of, id: `e${n}`, offset: offset(n), occurredAtMs: instant(NOON + Math.floor(n / 4)) }),
        )
        await store.write(flushOf({ events }))
        await store.write(flushOf({ events: events.slice(10) }))
        const ids: string[] = []
        let page = await store.events({ tenant: of, limit: 4, bytesMax: 1e9 })
        for (let last = page.at(-1); last !== undefined; last = page.at(-1)) {
          ids.push(...page.map(({ id }) => id))
          page = await store.events({ tenant: of, limit: 4, bytesMax: 1e9, after: last })
        }
        expect(ids).toEqual(events.map(({ id }) => id).toReversed())
      })

      test('a page ends with the event that fills it, and the next one goes on behind it, over rewrites too', async () => {
        const of = newTenant()
        const events = Array.from({ length: 12 }, (_, n) =>
          storedEvent({
            tenant: of,
            id: `e${n}`,
            offset: offset(n),
            occurredAtMs: instant(NOON + n),
            data: JSON.stringify({ text: 'ü'.repeat(n === 5 ? 5_000 : 500) }),
          }),
        )
        await store.write(flushOf({ events }))
        await store.write(flushOf({ events: events.slice(4) }))
        const pages: string[][] = []
        let page = await store.events({ tenant: of, limit: 100, bytesMax: 2_500 })
        for (let last = page.at(-1); last !== undefined; last = page.at(-1)) {
          pages.push(page.map(({ id }) => id))
          page = await store.events({ tenant: of, limit: 100, bytesMax: 2_500, after: last })
        }
        expect(pages).toEqual([['e11', 'e10', 'e9'], ['e8', 'e7', 'e6'], ['e5'], ['e4', 'e3', 'e2'], ['e1', 'e0']])
      })

      test.each([
        { what: 'a customer', query: { customer: customer('globex') }, ids: ['2'] },
        { what: 'a type', query: { types: ['b'] }, ids: ['3'] },
        { what: 'an id', query: { id: '1' }, ids: ['1'] },
        { what: 'a time, half-open', query: { fromMs: instant(NOON + 1), toMs: instant(NOON + 3) }, ids: ['2', '1'] },
      ])('by $what', async ({ query, ids }) => {
        const of = newTenant()
        const events = [1, 2, 3].map((n) =>
          storedEvent({
            tenant: of,
            id: String(n),
            customer: customer(n === 2 ? 'globex' : 'acme'),
            type: n === 3 ? 'b' : 'a',
            offset: offset(n),
            occurredAtMs: instant(NOON + n),
          }),
        )
        await store.write(flushOf({ events }))
        expect((await store.events({ tenant: of, limit: 10, bytesMax: 1e9, ...query })).map(({ id }) => id)).toEqual(ids)
      })
    })

    describe('meters', () => {
      const activationsOf = async (of: TenantKey) => (await store.activations()).filter((activation) => activation.tenant === of)

      test('an activation, once backfilled, stays so', async () => {
        const of = newTenant()
        const activation = {
          tenant: of,
          meter: meter('m'),
          revision: 3,
          partition: partition(1),
          fromOffset: offset(17),
          backfilled: false,
        }
        await store.putActivations([activation, { ...activation, partition: partition(2), fromOffset: offset(0) }])
        await store.putActivations([{ ...activation, backfilled: true }])
        await store.putActivations([activation])
        expect(await activationsOf(of)).toEqual([
          { ...activation, backfilled: true },
          { ...activation, partition: 2, fromOffset: 0 },
        ])
      })

      test('dropping takes older revisions of that meter and leaves the rest', async () => {
        const of = newTenant()
        const made = [
          ['m', 1],
          ['m', 2],
          ['m', 3],
          ['n', 1],
        ] as const
        await store.write(flushOf({ windows: made.map(([key, revision]) => windowRow({ tenant: of, meter: meter(key), revision })) }))
        await store.putActivations(
          made.map(([key, revision]) => ({
            tenant: of,
            meter: meter(key),
            revision,
            partition: partition(0),
            fromOffset: offset(0),
            backfilled: true,
          })),
        )
        await store.dropWindows(of, meter('m'), 3)
        await store.dropWindows(of, meter('m'), 3)
        const left = [
          ['m', 3],
          ['n', 1],
        ]
        expect((await windowsOf(of)).map((row) => [row.meter, row.revision])).toEqual(left)
        expect((await activationsOf(of)).map((row) => [row.meter, row.revision])).toEqual(left)
      })
    })
  })
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}

const quantity = fc.bigInt({ min: -(10n ** 29n), max: 10n ** 29n })
const minuteArbitrary = (minutesMax: number) => fc.integer({ min: 0, max: minutesMax }).map((minutes) => instant(NOON + minutes * MINUTE))
const windowFields = {
  customer: fc.constantFrom(customer('acme'), customer('globex')),
  windowStartMs: minuteArbitrary(60 * 24 * 200),
  dimensions: fc.record({ model: fc.constantFrom('', 'a', 'b'), 10: fc.constantFrom('x', 'y') }),
  events: fc.integer({ min: 1, max: 1000 }),
  sum: quantity,
  min: fc.option(quantity),
  max: fc.option(quantity),
  latest: fc.option(
    fc.record({
      value: quantity,
      occurredAtMs: fc.integer({ min: 0, max: 3 }).map((ms) => instant(NOON + ms)),
      offset: fc.integer({ min: 0, max: 3 }).map(offset),
      index: fc.nat(1_000_000),
    }),
  ),
  unique: fc.uniqueArray(fc.constantFrom('p', 'q', 'r', "'", '\\')),
}
const windowArbitrary = fc.record(windowFields)

type Windows = { readonly window?: CalendarWindow; readonly timezone?: string }
type Grouping = Pick<UsageQuery, 'groupBy'> & Windows & { readonly timezone: string }
const groupingArbitrary: fc.Arbitrary<Grouping> = fc.record(
  {
    groupBy: fc.subarray(['customer', 'model', '10']),
    window: fc.constantFrom('hour' as const, 'day' as const, 'week' as const, 'month' as const),
    timezone: fc.constantFrom('UTC', 'America/Sao_Paulo', 'Australia/Lord_Howe', 'Asia/Kathmandu'),
  },
  { requiredKeys: ['groupBy', 'timezone'] },
)

/** The expected answer of `usage`, by the pure merge. */
function mergedRows(rows: readonly WindowRow[], { groupBy, window, timezone }: Grouping): readonly UsageRow[] {
  const groups = new Map<string, { start: number | null; values: string[]; aggregate: Aggregate }>()
  for (const row of rows) {
    const start = window === undefined ? null : DateTime.fromMillis(row.windowStartMs, { zone: timezone }).startOf(window).toMillis()
    const values = groupBy.map((name) => (name === 'customer' ? row.customer : (row.dimensions[name] ?? '')))
    const name = JSON.stringify([start, values])
    const aggregate = mergeAggregates(groups.get(name)?.aggregate ?? emptyAggregate, row)
    groups.set(name, { start, values, aggregate })
  }
  const sorted = [...groups.values()].sort((a, b) => (a.start ?? 0) - (b.start ?? 0) || compareTexts(a.values, b.values))
  return sorted.map(({ start, values, aggregate: { latest, unique, ...totals } }) => ({
    windowStartMs: start === null ? null : instant(start),
    customer: groupBy.includes('customer') ? customer(values[groupBy.indexOf('customer')] ?? '') : null,
    dimensions: Object.fromEntries(groupBy.map((name, at) => [name, values[at] ?? '']).filter(([name]) => name !== 'customer')),
    ...totals,
    latest: latest?.value ?? null,
    latestAtMs: latest?.occurredAtMs ?? null,
    latestOffset: latest?.offset ?? null,
    latestIndex: latest?.index ?? null,
    unique: unique.toSorted(),
  }))
}

function compareTexts(a: readonly string[], b: readonly string[]): number {
  for (const [at, left] of a.entries()) {
    const right = b[at] ?? ''
    if (left !== right) return left < right ? -1 : 1
  }
  return 0
}

function hashOf({ tenant: of, customer: key, source, id }: StoredEvent): number {
  return eventHash(hashSeed(of, key), source, id)
}

function placeOfWindow({ customer: key, windowStartMs, dimensions, partition: of, chunk }: WindowRow): string {
  return JSON.stringify([key, windowStartMs, dimensions.model, dimensions[10], of, chunk])
}

function placeInTime(of: CustomerKey, atMs: number): string {
  return `${of} ${Math.floor(atMs / MINUTE)}`
}
