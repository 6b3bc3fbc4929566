import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { drainPending, Session, version } from 'chdb'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openChdbUsageStore } from '../../adapters/usage-store/engine/chdb-usage-store.ts'
import { INNER_READ_BOUNDS, type InnerReadBounds, READ_BOUNDS_DEFAULT, type ReadBounds } from '../../adapters/usage-store/read-bounds.ts'
import type { StoredEvent, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { CustomerKey } from '../../domain/identity.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { reportImplementation } from '../support/implementations.ts'
import { describeUsageStore } from './usage-store.ts'
import { customer, flushOf, instant, meter, offset, partition, storedEvent, tenant, windowRow } from './usage-store-builders.ts'

const newDirectory = () => mkdtemp(join(tmpdir(), 'tollgate-usage-store-'))
const openStore = (path: string, chunkRecords = 1000, readBounds: ReadBounds = READ_BOUNDS_DEFAULT, inner: Partial<InnerReadBounds> = {}) =>
  openChdbUsageStore({
    clock: systemClock,
    path,
    chunkRecords,
    readBounds,
    innerReadBounds: { ...INNER_READ_BOUNDS, ...inner },
    log: pino({ level: 'silent' }),
    registry: new Registry(),
  })

describeUsageStore('chdb', async () => {
  const path = await newDirectory()
  return { open: (chunkRecords) => openStore(path, chunkRecords), remove: () => rm(path, { recursive: true, force: true }) }
})

reportImplementation({ name: 'ClickHouse engine (chDB)', version: version().libchdb.replaceAll('"', ''), missing: null })

describe('the usage store on chdb', () => {
  let path: string
  let store: UsageStore | undefined
  let child: ChildProcess | undefined
  beforeEach(async () => {
    path = await newDirectory()
  })
  afterEach(async () => {
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = new Promise((resolve) => child?.once('exit', resolve))
      child.kill('SIGKILL')
      await exited
    }
    child = undefined
    await store?.stop()
    store = undefined
    await rm(path, { recursive: true, force: true })
  })

  const startChild = (): { readonly positions: AsyncIterable<string>; readonly exited: Promise<unknown> } => {
    const started = spawn(process.execPath, [new URL('./usage-store-child.ts', import.meta.url).pathname, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child = started
    return { positions: createInterface({ input: started.stdout }), exited: new Promise((resolve) => started.once('exit', resolve)) }
  }

  /** Stops the store and changes its directory behind its back. */
  const tamper = async (statements: readonly string[]) => {
    await store?.stop()
    const session = new Session(path)
    for (const statement of statements) await session.queryAsync(statement)
    session.close()
    await drainPending()
  }

  test('kill -9 while writing: what was answered is there, and no position runs ahead of its rows', async () => {
    for (const rounds of [3, 8]) {
      const { positions, exited } = startChild()
      let acknowledged = 0
      for await (const line of positions) {
        const whole = /^(\d+)\.$/.exec(line)
        if (whole) acknowledged = Number(whole[1])
        if (acknowledged === rounds) child?.kill('SIGKILL')
      }
      await exited
      expect(acknowledged).toBeGreaterThanOrEqual(rounds)

      store = await openStore(path)
      await store.migrate()
      const position = (await store.positions()).get(partition(0)) ?? 0
      expect(position).toBeGreaterThanOrEqual(acknowledged)
      const events: StoredEvent[] = []
      for await (const part of store.scanEvents({})) events.push(...part)
      expect(events.filter((event) => event.offset < position)).toHaveLength(position * 10)
      const [row] = await store.usage({
        tenant: tenant('default'),
        meter: meter('tokens'),
        revision: 1,
        fromMs: instant(0),
        toMs: instant(2_000_000_040_000),
        groupBy: [],
        filter: {},
        rowsMax: 10,
      })
      expect(row?.events).toBeGreaterThanOrEqual(position * 10)
      await store.stop()
      store = undefined
    }
  })

  test('a directory that another process has open is refused, saying so', async () => {
    const { positions } = startChild()
    for await (const _ of positions) break
    await expect(openStore(path)).rejects.toMatchObject({
      code: 'usage_store_unavailable',
      message: expect.stringMatching(/another process.*CLICKHOUSE_URL/),
    })
  })

  test('a second store in this process is refused until the first has stopped', async () => {
    store = await openStore(path)
    await expect(openStore(path)).rejects.toMatchObject({ code: 'usage_store_unavailable', message: expect.stringContaining(path) })
    await expect(openStore(`${path}-other`)).rejects.toMatchObject({ message: expect.stringContaining('one directory per process') })
    await store.stop()
    await store.stop()
    store = await openStore(path)
    await store.migrate()
  })

  test('a migration cut off half-way is completed by the next start', async () => {
    store = await openStore(path)
    await store.migrate()
    await store.write(flushOf({ events: [storedEvent()] }))
    await tamper(['DROP TABLE meter_activations SYNC', "DELETE FROM schema_migrations WHERE name LIKE '0002%'"])
    store = await openStore(path)
    await expect(store.activations()).rejects.toMatchObject({ code: 'usage_store_rejected' })
    await store.migrate()
    expect(await store.activations()).toEqual([])
    expect(await store.events({ tenant: tenant('default'), limit: 10, bytesMax: 1e9 })).toEqual([storedEvent()])
  })

  test('a store made by a newer version is refused', async () => {
    store = await openStore(path)
    await store.migrate()
    await tamper(["INSERT INTO schema_migrations (name) VALUES ('9999_future.sql')"])
    store = await openStore(path)
    await expect(store.migrate()).rejects.toMatchObject({ code: 'usage_store_rejected', message: expect.stringContaining('9999_future') })
  })

  test.each([
    { bound: { timeMs: 1 }, code: 'read_too_slow' },
    { bound: { memoryBytes: 2_000_000 }, code: 'read_too_large' },
    { bound: { resultBytes: 100_000 }, code: 'read_too_large' },
  ])('a read that reaches its bound ($bound) is refused with $code, and the next one is answered', async ({ bound, code }) => {
    store = await openStore(path, 1000, { ...READ_BOUNDS_DEFAULT, ...bound })
    await store.migrate()
    const windows = Array.from({ length: 60_000 }, (_, n) => windowRow({ customer: customer(`customer-${n}`) }))
    await store.write(flushOf({ windows, events: [storedEvent()] }))
    const all = { tenant: tenant('default'), meter: meter('tokens'), revision: 1, fromMs: instant(0), toMs: instant(2_000_000_040_000) }
    const usage = store.usage({ ...all, groupBy: ['customer'], filter: {}, rowsMax: 100_000 })
    await expect(usage).rejects.toMatchObject({ refusal: { code } })
    if (!('timeMs' in bound)) expect(await store.events({ tenant: tenant('default'), limit: 10, bytesMax: 1e9 })).toHaveLength(1)
  })

  test('reads that wait leave threads to others: a file is read before the second of them ends', async () => {
    store = await openStore(path)
    await store.migrate()
    const order: string[] = []
    const slow = 'SELECT sum(cityHash64(number)) AS hashes FROM numbers(20000000) SETTINGS max_threads = 1'
    const reads = Array.from({ length: 8 }, async (_, n) => {
      await store?.query(slow)
      order.push(`read ${n}`)
    })
    await readFile(import.meta.filename)
    order.push('file')
    await Promise.all(reads)
    expect(order).toHaveLength(9)
    expect(order.indexOf('file')).toBeLessThan(2)
  })

  test('a scan of large events brings all of them in order, in answers of bounded bytes, however large one is', async () => {
    store = await openStore(path, 1000, READ_BOUNDS_DEFAULT, { scanBytes: 100_000 })
    await store.migrate()
    const text = (n: number) => JSON.stringify({ text: 'x'.repeat(n === 150 ? 300_000 : 10_000) })
    const events = Array.from({ length: 300 }, (_, n) => storedEvent({ id: `e${n}`, offset: offset(n >> 1), index: n & 1, data: text(n) }))
    await store.write(flushOf({ events }))
    await store.write(flushOf({ events: events.slice(100, 200) }))
    const pages: (readonly StoredEvent[])[] = []
    for await (const page of store.scanEvents({ tenant: tenant('default'), partition: partition(0) })) pages.push(page)
    expect(pages.flat().map(({ id }) => id)).toEqual(events.map(({ id }) => id))
    const bytes = pages.map((page) => page.reduce((sum, { data }) => sum + data.length, 0))
    expect(bytes.toSorted((a, b) => b - a).slice(0, 2)).toEqual([310_000 + 2 * '{"text":""}'.length, expect.closeTo(50_000, -5)])
  })

  test('combinations that take too long to read are taken for many', async () => {
    store = await openStore(path, 1000, READ_BOUNDS_DEFAULT, { seriesTimeMs: 0.001 })
    await store.migrate()
    await store.write(flushOf({ windows: Array.from({ length: 60_000 }, (_, n) => windowRow({ customer: customer(`customer-${n}`) })) }))
    expect(await store.seriesOfMeters([{ tenant: tenant('default'), meter: meter('tokens'), revision: 1 }], false, 5)).toEqual([null])
  })

  test('usage of customers that reaches its bound is asked for in parts: many are null, one is refused', async () => {
    store = await openStore(path, 1000, READ_BOUNDS_DEFAULT, {
      customers: { ...INNER_READ_BOUNDS.customers, resultBytes: 10_000 },
    })
    await store.migrate()
    const [a, b] = [customer('a'), customer('b')]
    const minutes = (of: CustomerKey, length: number) =>
      Array.from({ length }, (_, n) => windowRow({ customer: of, dimensions: { model: `model-${n}` } }))
    await store.write(flushOf({ windows: [...minutes(a, 500), ...minutes(b, 3)] }))
    const all = [{ startMs: instant(0), endMs: instant(2_000_000_040_000) }]
    const usageOf = (customers: readonly CustomerKey[]) =>
      store?.usageOfCustomers({
        ...{ tenant: tenant('default'), meter: meter('tokens'), revision: 1, aggregation: 'sum', groupBy: ['model'], filter: {} },
        ...{ periods: new Map(customers.map((key) => [key, all])), rowsMax: 100_000 },
      })
    expect(await usageOf([a, b])).toBeNull()
    await expect(usageOf([a])).rejects.toMatchObject({ refusal: { code: 'read_too_large' } })
    expect(await usageOf([b])).toHaveLength(3)
    await store.stop()
    store = await openStore(path, 1000, READ_BOUNDS_DEFAULT, { customers: { ...INNER_READ_BOUNDS.customers, timeMs: 0.001 } })
    await store.migrate()
    await expect(usageOf([a])).rejects.toMatchObject({ refusal: { code: 'read_too_slow' } })
  })

  test('a write given up under way still stops cleanly and can be made again', async () => {
    store = await openStore(path)
    await store.migrate()
    const controller = new AbortController()
    const events = Array.from({ length: 20_000 }, (_, index) => storedEvent({ id: `e${index}`, index }))
    const write = store.write(flushOf({ events }), controller.signal)
    setImmediate(() => controller.abort(new Error('partition lost')))
    await expect(write).rejects.toThrow('partition lost')
    await store.stop()
    store = await openStore(path)
    await store.migrate()
    await store.write(flushOf({ events }))
    expect(await store.query('SELECT count() AS events FROM usage_events')).toEqual([{ events: '20000' }])
  })
})
