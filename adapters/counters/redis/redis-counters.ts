import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Clock } from '../../../base/clock.ts'
import type { FeatureKey, InstantMs, Offset, Partition } from '../../../domain/identity.ts'
import { type AppliedRecord, type Counters, type CustomerRef, PERIODS_KEPT, type TrackedCounter } from '../counters.ts'
import { TRACKING_REQUEST_BOUNDS, type TrackingRequestBounds, tooManyTrackingRequests } from '../tracking-requests.ts'
import { cutRecords, encodeRecords } from './redis-applied-records.ts'
import { decodeCounterState, encodeCounterState } from './redis-counter-state.ts'
import { createRedisCountersMetrics } from './redis-counters-metrics.ts'
import { foreignFault, unconfirmedFault } from './redis-fault.ts'
import { createRedisHolds } from './redis-holds.ts'
import { createRedisKeys, customerOfName, nameOfCustomer } from './redis-keys.ts'
import { REDIS_SCRIPTS } from './redis-scripts.ts'
import { createRedisServers } from './redis-servers.ts'
import { listenToTrackingRequests } from './redis-tracking-channel.ts'

export type RedisCountersOptions = {
  /** `redis[s]://user:password@host:6379/0`; for a cluster any of its nodes. */
  readonly url: string
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  /** Evenly from 0 (included) to 1 (excluded). */
  readonly random: () => number
  /** The start of every key and channel. */
  readonly keyPrefix?: string
  /** Replicas that must have a hold before it is answered. */
  readonly holdReplicas?: number
  /** Undefined: the counters are not told from those of other installations. */
  readonly installation?: { readonly id: string; readonly database: string }
  /** Bound in each partition. */
  readonly holdsOfTenantMax?: number
  /** Bounds in each partition. */
  readonly trackingRequests?: TrackingRequestBounds
}

const CUSTOMERS_PER_PAGE = 200

/**
 * Counters on Redis 7 or Valkey, shared by any number of processes. Every operation is one script on the keys of one
 * partition. Rejects when the server cannot be reached.
 */
export async function openRedisCounters(options: RedisCountersOptions): Promise<Counters> {
  const { clock, log, trackingRequests: requestBounds = TRACKING_REQUEST_BOUNDS } = options
  const url = new URL(options.url)
  const keys = createRedisKeys(options.keyPrefix ?? 'tollgate')
  const metrics = createRedisCountersMetrics(options.registry)
  const servers = createRedisServers({ url, clock, log })
  const replicasMin = options.holdReplicas ?? 0
  // Waiting for replicas stops a connection, so reads have another one.
  const holdServers = replicasMin === 0 ? servers : createRedisServers({ url, clock, log })
  const holds = createRedisHolds({
    servers: holdServers,
    keys,
    metrics,
    clock,
    random: options.random,
    replicasMin,
    holdsOfTenantMax: options.holdsOfTenantMax,
  })
  const channel = listenToTrackingRequests({ url, channel: keys.channel, log })
  const unconfirmed = () => {
    metrics.unconfirmed()
    return unconfirmedFault(servers.address)
  }

  async function applyPart(partition: Partition, records: readonly AppliedRecord[]): Promise<void> {
    const { names, batch } = encodeRecords(keys, partition, records, clock.now())
    const reply = (await servers.run(REDIS_SCRIPTS.apply, names, (run) => [run, batch])) as [string, ...number[]]
    if (reply[0] === 'unconfirmed') throw unconfirmed()
    const [, counted = 0, untracked = 0, otherDefinition = 0, beforeTracking = 0, settled = 0] = reply
    metrics.applied({ counted, untracked, other_definition: otherDefinition, before_tracking: beforeTracking })
    metrics.ended('settled', settled as number)
  }

  /** Frees the memory of counters that a reset has put out of use. */
  async function sweep(partition: Partition): Promise<void> {
    for await (const customers of pagesOfCustomers(partition)) {
      const names = [keys.partition(partition), keys.customers(partition), ...customers.flatMap((each) => keys.counters(each))]
      await servers.run(REDIS_SCRIPTS.sweep, names, () => customers.map(nameOfCustomer))
    }
  }

  /** Ordered by their bytes, so that a page begins after the last name of the page before whatever changes meanwhile. */
  async function* pagesOfCustomers(partition: Partition): AsyncIterable<readonly CustomerRef[]> {
    const limit = ['LIMIT', '0', String(CUSTOMERS_PER_PAGE)]
    for (let from = '-'; ; ) {
      const names = (await servers.send(['ZRANGEBYLEX', keys.customers(partition), from, '+', ...limit])) as string[]
      const last = names.at(-1)
      if (last === undefined) return
      yield names.map((name) => customerOfName(name, partition))
      from = `(${last}`
    }
  }

  await warnOfSettings(servers, log)
  if (options.installation !== undefined) await settleInstallation(servers, keys.installation, options.installation)

  return {
    ...holds,
    async position(partition) {
      return Number((await servers.send(['HGET', keys.partition(partition), 'next'])) ?? 0) as Offset
    },
    async confirm(partition, at) {
      const names = [keys.partition(partition)]
      const isIntact = await servers.run(REDIS_SCRIPTS.confirm, names, (run) => [run, at === null ? '' : String(at)])
      if (isIntact !== 1) log.warn({ partition, at }, 'counters were lost or are behind: they are counted again')
      return isIntact === 1
    },
    async apply(partition, records) {
      for (const part of cutRecords(records)) await applyPart(partition, part)
    },
    async track(customer, counters, at) {
      const { partition } = customer
      const names = [keys.partition(partition), keys.customers(partition), ...keys.counters(customer)]
      const wanted = JSON.stringify({ at, counters: counters.map(encodeTracked) })
      const [status] = (await servers.run(REDIS_SCRIPTS.track, names, (run) => [run, nameOfCustomer(customer), wanted])) as [string]
      if (status === 'unconfirmed') throw unconfirmed()
      return status === 'tracked'
    },
    async tracked(customer) {
      const [counters] = keys.counters(customer)
      const found = (await servers.run(REDIS_SCRIPTS.tracked, [keys.partition(customer.partition), counters], () => [])) as string[]
      return new Map(Array.from({ length: found.length / 2 }, (_, at) => [found[2 * at] as FeatureKey, found[2 * at + 1] ?? '']))
    },
    async read(customer, wanted, nowMs) {
      const names = [keys.partition(customer.partition), keys.counters(customer)[0], ...keys.holds(customer)]
      const periods = wanted.flatMap(({ feature, periodStartMs }) => [feature, String(periodStartMs)])
      const [status, due, ...readings] = (await servers.run(REDIS_SCRIPTS.read, names, (run) => [
        run,
        String(nowMs),
        ...periods,
      ])) as ReadReply
      if (status === 'unconfirmed') throw unconfirmed()
      if (due > 0) holds.endSoon(customer, nowMs)
      return readings.map((reading) => {
        if (reading === null) return undefined
        const [definition, trackedFromMs, used, held] = reading
        return {
          definition,
          trackedFromMs: Number(trackedFromMs) as InstantMs,
          usedUnits: BigInt(used),
          heldUnits: BigInt(held),
        }
      })
    },
    async requestTracking(customer) {
      const args = [
        nameOfCustomer(customer),
        customer.tenant,
        String(requestBounds.all),
        String(requestBounds.ofTenant),
        keys.channel,
        String(customer.partition),
      ]
      const placed = await servers.run(REDIS_SCRIPTS.requestTracking, keys.requests(customer.partition), () => args)
      if (placed !== 'placed') throw tooManyTrackingRequests(placed === 'tenant' ? 'tenant' : 'server', requestBounds)
      channel.announceHere(customer.partition)
    },
    async takeTrackingRequests(partition) {
      const names = [keys.partition(partition), ...keys.requests(partition)]
      const [status, customers = []] = (await servers.run(REDIS_SCRIPTS.takeRequests, names, (run) => [run])) as [string, string[]?]
      if (status === 'unconfirmed') throw unconfirmed()
      return customers.map((name) => customerOfName(name, partition))
    },
    onTrackingRequest: channel.onRequest,
    async *scan(partition) {
      for await (const customers of pagesOfCustomers(partition)) {
        const snapshots = await Promise.all(
          customers.map((customer) =>
            servers.run(REDIS_SCRIPTS.snapshot, [keys.partition(partition), ...keys.counters(customer)], () => []),
          ),
        )
        for (const [index, customer] of customers.entries()) {
          const counters = (snapshots[index] as SnapshotReply).map(decodeTracked)
          if (counters.length > 0) yield { customer, counters }
        }
      }
    },
    async reset(partition, position) {
      await servers.run(REDIS_SCRIPTS.reset, [keys.partition(partition)], (run) => [run, String(position)])
      await sweep(partition)
    },
    // Nothing waits in this process: applied deltas stand in Redis, and `confirm` finds out when Redis has lost some.
    flush: async () => undefined,
    async ping() {
      await servers.send(['EXISTS', keys.partition(0 as Partition)])
    },
    async stop() {
      await Promise.all([channel.stop(), holds.stop()])
      servers.stop()
      holdServers.stop()
    },
  }
}

type ReadReply = [status: 'read' | 'unconfirmed', due: number, ...readings: ([string, string, string, string] | null)[]]
type SnapshotReply = [feature: string, definition: string, trackedFromMs: string, ...periods: (string | string[])[]][]

function encodeTracked({ feature, definition, trackedFromMs, periods, periodsKept = PERIODS_KEPT }: TrackedCounter): unknown[] {
  const states = periods.map(({ startMs, state }) => [String(startMs), encodeCounterState(state)])
  return [feature, definition, String(trackedFromMs), states, String(periodsKept)]
}

function decodeTracked([feature, definition, trackedFromMs, ...periods]: SnapshotReply[number]): TrackedCounter {
  const states = Array.from({ length: periods.length / 2 }, (_, at) => ({
    startMs: Number(periods[2 * at]) as InstantMs,
    state: decodeCounterState(periods[2 * at + 1] as string[]),
  }))
  return {
    feature: feature as FeatureKey,
    definition,
    trackedFromMs: Number(trackedFromMs) as InstantMs,
    periods: states.sort((a, b) => a.startMs - b.startMs),
  }
}

async function warnOfSettings(servers: ReturnType<typeof createRedisServers>, log: Logger): Promise<void> {
  const { facts } = await servers.any()
  const { evictionPolicy, isAppending } = facts
  if (evictionPolicy !== 'noeviction') {
    log.warn({ evictionPolicy }, 'redis may drop reservations under memory pressure: set its maxmemory-policy to noeviction')
  }
  if (!isAppending) log.warn('redis keeps no append-only file: a restart loses reservations, and counters are counted again')
}

/** Two installations that share a key prefix would overwrite each other's counters and holds. */
async function settleInstallation(
  servers: ReturnType<typeof createRedisServers>,
  key: string,
  { id, database }: { readonly id: string; readonly database: string },
): Promise<void> {
  await servers.send(['SET', key, id, 'NX'])
  if ((await servers.send(['GET', key])) !== id) throw foreignFault(servers.address, key, database)
}
