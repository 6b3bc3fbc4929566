import { randomUUID } from 'node:crypto'
import { createClient } from '@redis/client'
import fc from 'fast-check'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { CounterDelta, Counters, CustomerRef, HoldRequest, TrackedCounter } from '../../adapters/counters/counters.ts'
import { openRedisCounters, type RedisCountersOptions } from '../../adapters/counters/redis/redis-counters.ts'
import { createRedisKeys } from '../../adapters/counters/redis/redis-keys.ts'
import { createConfirmedCounters } from '../../aggregator/partition/confirmed-counters.ts'
import type { Fault } from '../../base/fault.ts'
import { isDevServerRunning, readDevServers, startDevServers } from '../../deploy/dev/servers.ts'
import type { CustomerKey, FeatureKey, InstantMs, Offset, Partition, TenantKey } from '../../domain/identity.ts'
import { type CounterState, mergeCounterStates, usedQuantity } from '../../domain/metering/counter-state.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { inLongRun } from '../support/long-run.ts'
import { type DevServerForTest, devServerForTest } from '../support/servers/dev-servers.ts'
import { startRedisCluster } from '../support/servers/redis-cluster.ts'
import { describeHolds } from './counter-holds.ts'
import { type CountersPlace, describeCounters, TRACKING_REQUESTS } from './counters.ts'

const redis = await devServerForTest('redis')
const cluster = await startRedisCluster()
afterAll(() => Promise.all([redis.discard(), cluster?.discard()]))

const log = pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' })

function open(url: string, keyPrefix: string, options: Partial<RedisCountersOptions> = {}) {
  return openRedisCounters({
    url,
    keyPrefix,
    clock: { ...systemClock, now: () => 0 as InstantMs },
    log,
    registry: new Registry(),
    random: Math.random,
    trackingRequests: TRACKING_REQUESTS,
    ...options,
  })
}

async function removeKeys(url: string, keyPrefix: string): Promise<void> {
  const client = createClient({ url })
  await client.connect()
  for await (const keys of client.scanIterator({ MATCH: `${keyPrefix}:*`, COUNT: 1000 })) {
    // One by one, as in a cluster they are in different slots.
    await Promise.all(keys.map((key) => client.unlink(key)))
  }
  client.destroy()
}

describe.skipIf(redis.server === null)(`on Redis${redis.missing === null ? '' : ` (not run: ${redis.missing})`}`, () => {
  const url = redis.server?.url ?? ''

  async function makePlace(): Promise<CountersPlace> {
    const keyPrefix = `test-${randomUUID()}`
    return { open: (now) => open(url, keyPrefix, { clock: { ...systemClock, now } }), remove: () => removeKeys(url, keyPrefix) }
  }
  describeCounters(`redis (${redis.server?.version})`, makePlace)

  test('counters of another installation are refused with what to do, and those of its own go on', async () => {
    const keyPrefix = `test-${randomUUID()}`
    const openAs = (id: string) => open(url, keyPrefix, { installation: { id, database: `the database ${id}` } })
    const first = await openAs('a')
    await expect(openAs('b')).rejects.toMatchObject({
      code: 'counters_rejected',
      canRetry: false,
      message: expect.stringMatching(/do not belong together: .* than the database b\. .*REDIS_KEY_PREFIX/),
    })
    await (await openAs('a')).stop()
    await first.stop()
    await removeKeys(url, keyPrefix)
  })
  describeHolds(`redis (${redis.server?.version})`, makePlace)

  test('whole numbers of any length are added, compared and averaged exactly', async () => {
    const keyPrefix = `test-${randomUUID()}`
    const counters = await open(url, keyPrefix)
    const anyUnits = fc.oneof(fc.bigInt({ min: -(10n ** 38n), max: 10n ** 38n }), fc.bigInt({ min: -20n, max: 20n }), nearPowerOfTen)
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(anyUnits, { minLength: 1, maxLength: 12 }), async (units) => {
          await counters.reset(P0, 0 as Offset)
          await counters.track(ACME, [tracked('add'), tracked('max'), tracked('min'), tracked('average')], 0 as Offset)
          const states = units.map((value): CounterState[] => [
            { kind: 'add', amount: value },
            { kind: 'max', value },
            { kind: 'min', value },
            { kind: 'average', sum: value, events: 3 },
          ])
          await counters.apply(
            P0,
            states.map((updates, offset) => ({ offset: offset as Offset, deltas: updates.map((update) => delta(update.kind, update)) })),
          )
          const wanted = KINDS.map((feature) => ({ feature: feature as FeatureKey, periodStartMs: EPOCH }))
          const found = (await counters.read(ACME, wanted, EPOCH)).map((reading) => reading?.usedUnits)
          expect(found).toEqual(KINDS.map((_, kind) => usedQuantity(states.map((each) => at(each, kind)).reduce(mergeCounterStates))))
        }),
        { numRuns: inLongRun(300, 60) },
      )
    } finally {
      await counters.stop()
      await removeKeys(url, keyPrefix)
    }
  })

  test('a tenant at its bound of holds is told so, and another goes on; what is settled, released or expired makes room', async () => {
    const keyPrefix = `test-${randomUUID()}`
    const counters = await open(url, keyPrefix, { holdsOfTenantMax: 3 })
    const other = { ...ACME, tenant: 'other' as TenantKey }
    try {
      for (const customer of [ACME, other]) await counters.track(customer, [tracked('add')], 0 as Offset)
      const cap = { definition: 'v1', periodStartMs: EPOCH, hardLimit: null }
      const reserve = async (customer: CustomerRef, id: string, nowMs = EPOCH) =>
        (await counters.reserve(customer, { ...reservation(id, 1n), cap }, nowMs)).status
      for (const id of ['a', 'b', 'c']) expect(await reserve(ACME, id)).toBe('held')
      expect(await counters.reserve(ACME, { ...reservation('d', 1n), cap }, EPOCH)).toEqual({
        status: 'too_many',
        of: 'tenant',
        holdsMax: 3,
      })
      expect(await reserve(ACME, 'a')).toBe('exists')
      expect(await reserve(other, 'd')).toBe('held')
      await counters.settleHold(ACME, 'a', { quantity: 1n, occurredAtMs: EPOCH, report: '', eventsHash: null, beyond: 'none' }, EPOCH)
      expect(await reserve(ACME, 'd')).toBe('held')
      await counters.releaseHold(ACME, 'b', EPOCH)
      await counters.extendHold(ACME, 'c', 120_000 as InstantMs, EPOCH)
      expect(await reserve(ACME, 'e')).toBe('held')
      expect(await reserve(ACME, 'f')).toBe('too_many')
      // The extended one among the holds under way is not due yet.
      const due = 60_000 as InstantMs
      for (const [id, status] of [
        ['g', 'held'],
        ['h', 'held'],
        ['i', 'too_many'],
      ] as const) {
        const request = { ...reservation(id, 1n), expiresAtMs: 200_000 as InstantMs, cap }
        expect((await counters.reserve(ACME, request, due)).status).toBe(status)
      }
    } finally {
      await counters.stop()
      await removeKeys(url, keyPrefix)
    }
  })

  test('holds that are due count no more before they are ended, and are ended a hundred at a time', async () => {
    const keyPrefix = `test-${randomUUID()}`
    const registry = new Registry()
    let nowMs = 0
    const counters = await open(url, keyPrefix, { clock: { ...systemClock, now: () => nowMs as InstantMs }, registry })
    try {
      await counters.track(ACME, [tracked('add')], 0 as Offset)
      const cap = { definition: 'v1', periodStartMs: EPOCH, hardLimit: null }
      const ids = Array.from({ length: 350 }, (_, index) => `r${index}`)
      // The sum of the greatest quantities is beyond the whole numbers of a double.
      const quantity = 2n ** 52n + 1n
      for (const id of ids) await counters.reserve(ACME, { ...reservation(id, quantity), cap }, EPOCH)
      expect(await spent(counters)).toMatchObject({ heldUnits: 350n * quantity })

      const wanted = [{ feature: 'add' as FeatureKey, periodStartMs: EPOCH }]
      const due = 60_000 as InstantMs
      expect(await counters.read(ACME, wanted, due)).toMatchObject([{ heldUnits: 0n }])
      // Its own turn to be ended has not come yet.
      const extended = await counters.extendHold(ACME, 'r349', 90_000 as InstantMs, due)
      expect(extended).toMatchObject({ status: 'done', hold: { state: { kind: 'expired' } } })
      const settlement = { quantity, occurredAtMs: EPOCH, report: '', eventsHash: null, beyond: 'none' } as const
      const settled = await counters.settleHold(ACME, 'r348', settlement, due)
      expect(settled).toMatchObject({ status: 'done', hold: { state: { kind: 'settled', settlement: { settledUnits: 0n } } } })
      expect(await counters.reserve(ACME, { ...reservation('r347', 1n), cap }, due)).toMatchObject({
        status: 'exists',
        hold: { state: { kind: 'expired' } },
      })
      expect(await counters.read(ACME, wanted, due)).toMatchObject([{ heldUnits: 0n }])

      nowMs = due
      await vi.waitFor(async () => expect(await registry.metrics()).toContain('tollgate_holds_ended_total{state="expired"} 349'), 10_000)
      expect(await spent(counters)).toMatchObject({ heldUnits: 0n })
      expect(await counters.releaseHold(ACME, 'r0', due)).toMatchObject({ status: 'done', hold: { state: { kind: 'released' } } })
    } finally {
      await counters.stop()
      await removeKeys(url, keyPrefix)
    }
  })

  describe('shared by several processes', () => {
    let keyPrefix: string
    let here: Counters
    let elsewhere: Counters
    beforeEach(async () => {
      keyPrefix = `test-${randomUUID()}`
      here = await open(url, keyPrefix)
      elsewhere = await open(url, keyPrefix)
    })
    afterEach(async () => {
      await here.stop()
      await elsewhere.stop()
      await removeKeys(url, keyPrefix)
    })

    test('a request placed by one is announced to another, which takes it', async () => {
      const announced = new Promise<Partition>((resolve) => elsewhere.onTrackingRequest(resolve))
      // The subscription is being set up: a request placed before is announced with the next one.
      await vi.waitFor(async () => {
        await here.requestTracking(ACME)
        expect(await Promise.race([announced, undefined])).toBe(P0)
      }, 10_000)
      expect(await elsewhere.takeTrackingRequests(P0)).toEqual([ACME])
      expect(await here.takeTrackingRequests(P0)).toEqual([])
    })

    test('reservations at once from both pass a limit together never', async () => {
      await here.track(ACME, [tracked('add')], 0 as Offset)
      const outcomes = await Promise.all(
        Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? here : elsewhere).reserve(ACME, reservation(`r${index}`, 7n), EPOCH)),
      )
      expect(outcomes.filter(({ status }) => status === 'held')).toHaveLength(14)
    })

    test('an id that several customers take at once is held by one of them, and the others are refused', async () => {
      const customers = Array.from({ length: 8 }, (_, index) => customerRef(`c${index}`, index % 2))
      for (const customer of customers) await here.track(customer, [tracked('add')], 0 as Offset)
      for (let round = 0; round < 40; round++) {
        const outcomes = await Promise.allSettled(
          customers.map((customer, index) => (index % 2 === 0 ? here : elsewhere).reserve(customer, reservation(`id${round}`, 1n), EPOCH)),
        )
        const held = outcomes.filter((outcome) => outcome.status === 'fulfilled' && outcome.value.status === 'held')
        expect(held).toHaveLength(1)
      }
      const heldUnits = await Promise.all(customers.map(async (customer) => (await spent(here, customer))?.heldUnits ?? 0n))
      expect(heldUnits.reduce((sum, units) => sum + units)).toBe(40n)
    })

    test('an id whose reservation was refused is free for another customer', async () => {
      const other = customerRef('other', 1)
      for (const customer of [ACME, other]) await here.track(customer, [tracked('add')], 0 as Offset)
      expect((await here.reserve(ACME, reservation('id', 101n), EPOCH)).status).toBe('refused')
      expect((await elsewhere.reserve(other, reservation('id', 100n), EPOCH)).status).toBe('held')
      expect(await here.reserve(ACME, reservation('id', 1n), EPOCH)).toMatchObject({ status: 'exists', hold: { customer: 'other' } })
      expect(await here.hold(ACME.tenant, 'id', EPOCH)).toMatchObject({ customer: 'other', quantity: 100n })
      expect(await spent(here)).toMatchObject({ heldUnits: 0n })
    })

    test('an id is free when the process that claimed it died, or the one that was ending that claim', async () => {
      const [keys, other] = [createRedisKeys(keyPrefix), customerRef('other', 1)]
      for (const customer of [ACME, other]) await here.track(customer, [tracked('add')], 0 as Offset)
      const client = createClient({ url })
      await client.connect()
      try {
        await client.set(keys.id(ACME.tenant, 'claimed'), `0 3 ${ACME.customer}`)
        expect((await here.reserve(other, reservation('claimed', 1n), EPOCH)).status).toBe('held')
        expect((await elsewhere.reserve(ACME, reservation('claimed', 1n), EPOCH)).status).toBe('exists')

        await client.set(keys.id(ACME.tenant, 'ending'), `0 3 ${ACME.customer}`)
        const fenced = ['', '0', '0', '0', 'fenced', '0', '0', '0', '0', '5']
        await client.hSet(keys.holds(ACME)[0], 'h:ending', JSON.stringify(fenced))
        expect((await here.reserve(ACME, reservation('ending', 1n), EPOCH)).status).toBe('held')
        expect(await client.get(keys.id(ACME.tenant, 'ending'))).toBe(`0 6 ${ACME.customer}`)
      } finally {
        client.destroy()
      }
    })
  })
})

describe.skipIf(cluster === null)(`on a cluster of two${cluster === null ? ' (not run: there is no redis-server)' : ''}`, () => {
  async function makePlace(): Promise<CountersPlace> {
    const keyPrefix = `test-${randomUUID()}`
    const remove = async () => {
      for (const url of cluster?.urls ?? []) await removeKeys(url, keyPrefix)
    }
    return { open: (now) => open(cluster?.url ?? '', keyPrefix, { clock: { ...systemClock, now } }), remove }
  }
  describeCounters('redis cluster', makePlace)
  describeHolds('redis cluster', makePlace)

  test('partitions lie on both nodes, the keys of one on one, and ids are found wherever they fall', async () => {
    const place = await makePlace()
    const counters = await place.open(() => EPOCH)
    const customers = Array.from({ length: 8 }, (_, partition) => customerRef(`customer{${partition}}`, partition))
    for (const customer of customers) {
      await counters.track(customer, [tracked('add')], 0 as Offset)
      for (let index = 0; index < 8; index++) {
        const id = `${customer.partition}-${index}`
        expect((await counters.reserve(customer, reservation(id, 2n), EPOCH)).status).toBe('held')
        expect(await counters.hold(customer.tenant, id, EPOCH)).toMatchObject({ customer: customer.customer, quantity: 2n })
      }
      expect(await spent(counters, customer)).toMatchObject({ heldUnits: 16n })
    }
    await counters.stop()
    await place.remove()
  })
})

describe('a Redis that loses something', () => {
  const keyPrefix = 'loss'
  let server: DevServerForTest
  let counters: Counters
  let reader: Counters
  beforeEach(async () => {
    server = await devServerForTest('redis', { isOwn: true })
    if (server.server === null) return
    counters = await open(server.server.url, keyPrefix)
    reader = await open(server.server.url, keyPrefix)
  })
  afterEach(async () => {
    await counters?.stop()
    await reader?.stop()
    await server?.discard()
  })

  async function command(...words: string[]): Promise<unknown> {
    const client = createClient({ url: server.server?.url ?? '' })
    await client.connect()
    const answer = await client.sendCommand(words)
    client.destroy()
    return answer
  }

  async function killAndRestart(): Promise<void> {
    const { dir } = server as { dir: string }
    for (const { pid } of server.server?.processes ?? []) process.kill(pid, 'SIGKILL')
    await vi.waitFor(async () => expect(await isDevServerRunning((await readDevServers(dir)).redis)).toBe(false), 10_000)
    await startDevServers({ dir, names: ['redis'] })
  }

  /** Reads again once the connection is back; an error in between is temporary. */
  const readAgain = () =>
    vi.waitFor(
      async () => {
        try {
          return await spent(reader)
        } catch (error) {
          if ((error as Fault).code === 'counters_rebuilding') return 'rebuilding'
          throw error
        }
      },
      { timeout: 10_000, interval: 50 },
    )

  test('emptied: nothing is answered from it, its aggregator notices and starts anew', async ({ skip }) => {
    skip(server.server === null, String(server.missing))
    const confirmed = createConfirmedCounters(counters, log, { partition: P0, countersNext: 0 as Offset })
    await confirmed.track(ACME, [tracked('add')], 0 as Offset)
    await confirmed.apply(P0, [{ offset: 0 as Offset, deltas: [delta('add', { kind: 'add', amount: 90n })] }])
    await command('FLUSHALL')
    expect(await spent(reader)).toBeUndefined()
    expect((await reader.reserve(ACME, reservation('r', 50n), EPOCH)).status).toBe('untracked')
    await expect(counters.apply(P0, [{ offset: 1 as Offset, deltas: [] }])).rejects.toMatchObject({ code: 'counters_rebuilding' })
    await confirmed.apply(P0, [{ offset: 1 as Offset, deltas: [delta('add', { kind: 'add', amount: 1n })] }])
    expect(await counters.position(P0)).toBe(2)
    expect(await spent(reader)).toBeUndefined()
    const periods = [{ startMs: EPOCH, state: { kind: 'add', amount: 91n } }] as const
    expect(await confirmed.track(ACME, [tracked('add', periods)], 2 as Offset)).toBe(true)
    expect(await spent(reader)).toMatchObject({ usedUnits: 91n })
  })

  test('killed with nothing lost: answered again once its aggregator says so, holds and all', async ({ skip }) => {
    skip(server.server === null, String(server.missing))
    await command('CONFIG', 'SET', 'appendfsync', 'always')
    const confirmed = createConfirmedCounters(counters, log, { partition: P0, countersNext: 0 as Offset })
    await confirmed.track(ACME, [tracked('add')], 0 as Offset)
    await confirmed.apply(P0, [{ offset: 0 as Offset, deltas: [delta('add', { kind: 'add', amount: 40n })] }])
    await reader.reserve(ACME, reservation('r', 50n), EPOCH)
    await killAndRestart()
    expect(await readAgain()).toBe('rebuilding')
    await expect(reader.reserve(ACME, reservation('s', 1n), EPOCH)).rejects.toMatchObject({ code: 'counters_rebuilding', canRetry: true })
    await vi.waitFor(() => confirmed.takeTrackingRequests(P0), 10_000)
    expect(await spent(reader)).toMatchObject({ usedUnits: 40n, heldUnits: 50n })
  })

  test('set back by a restart: what it has is not answered from, but counted anew', async ({ skip }) => {
    skip(server.server === null, String(server.missing))
    const confirmed = createConfirmedCounters(counters, log, { partition: P0, countersNext: 0 as Offset })
    await confirmed.track(ACME, [tracked('add')], 0 as Offset)
    await confirmed.apply(P0, [{ offset: 0 as Offset, deltas: [delta('add', { kind: 'add', amount: 10n })] }])
    // From here on nothing reaches the disk.
    await command('CONFIG', 'SET', 'appendonly', 'no')
    await confirmed.apply(P0, [{ offset: 1 as Offset, deltas: [delta('add', { kind: 'add', amount: 80n })] }])
    expect(await spent(reader)).toMatchObject({ usedUnits: 90n })
    await killAndRestart()
    expect(await readAgain()).toBe('rebuilding')
    expect(await vi.waitFor(() => counters.position(P0), 10_000)).toBe(1)
    await confirmed.takeTrackingRequests(P0)
    expect(await counters.position(P0)).toBe(2)
    expect(await spent(reader)).toBeUndefined()
  })

  test('set back while nobody aggregates: the next owner of the partition finds out', async ({ skip }) => {
    skip(server.server === null, String(server.missing))
    await counters.track(ACME, [tracked('add')], 0 as Offset)
    expect(await reader.confirm(P0, null)).toBe(true)
    await killAndRestart()
    expect(await vi.waitFor(() => reader.confirm(P0, null), 10_000)).toBe(false)
    await reader.reset(P0, 5 as Offset)
    expect(await reader.confirm(P0, null)).toBe(true)
    expect(await counters.position(P0)).toBe(5)
  })

  test('a server that hangs is a fault within its bound, and is found again when it goes on', async ({ skip }) => {
    skip(server.server === null, String(server.missing))
    const [pid = 0] = (server.server?.processes ?? []).map((each) => each.pid)
    process.kill(pid, 'SIGSTOP')
    await expect(counters.position(P0)).rejects.toMatchObject({ code: 'counters_unavailable', canRetry: true })
    process.kill(pid, 'SIGCONT')
    await vi.waitFor(() => counters.ping(), 10_000)
  }, 30_000)
})

const EPOCH = 0 as InstantMs
const P0 = 0 as Partition
const KINDS = ['add', 'max', 'min', 'average'] as const
const ACME = customerRef('acme', 0)
const nearPowerOfTen = fc
  .record({ exponent: fc.nat(38), off: fc.integer({ min: -1, max: 1 }), isNegative: fc.boolean() })
  .map(({ exponent, off, isNegative }) => (10n ** BigInt(exponent) + BigInt(off)) * (isNegative ? -1n : 1n))

function customerRef(customer: string, partition: number): CustomerRef {
  return { tenant: 'default' as TenantKey, customer: customer as CustomerKey, partition: partition as Partition }
}

function tracked(feature: string, periods: TrackedCounter['periods'] = []): TrackedCounter {
  return { feature: feature as FeatureKey, definition: 'v1', trackedFromMs: EPOCH, periods }
}

function delta(feature: string, update: CounterState): CounterDelta {
  const { tenant, customer } = ACME
  return { tenant, customer, feature: feature as FeatureKey, definition: 'v1', periodStartMs: EPOCH, update }
}

function reservation(id: string, quantity: bigint): HoldRequest {
  const cap = { definition: 'v1', periodStartMs: EPOCH, hardLimit: 100n }
  return { id, feature: 'add' as FeatureKey, quantity, expiresAtMs: 60_000 as InstantMs, cap }
}

async function spent(counters: Counters, customer = ACME) {
  const [reading] = await counters.read(customer, [{ feature: 'add' as FeatureKey, periodStartMs: EPOCH }], EPOCH)
  return reading
}

function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index]
  if (item === undefined) throw new Error(`there is no item ${index}`)
  return item
}
