import { pino } from 'pino'
import { Registry } from 'prom-client'
import type { LogHandler } from '../../adapters/event-log/event-log.ts'
import { type Aggregator, createAggregator } from '../../aggregator/aggregator.ts'
import type { Clock } from '../../base/clock.ts'
import type { Offset, Partition } from '../../domain/identity.ts'
import type { CatalogModel } from './catalog-model.ts'
import type { CountersModel } from './counters-model.ts'
import type { EventLogModel } from './event-log-model.ts'
import { type Caller, createCaller, type Network } from './network.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { UsageStoreModel } from './usage-store-model.ts'

/** The aggregators that share the log's partitions, and which of them has which. */
export type Cluster = {
  /** Starts aggregators that do not run and assigns the partitions that nobody has. */
  tend(): void
  crashOne(): void
  /** Ends everything, the counters included, as when one process holds it all. */
  crashAll(): void
  stopOne(): void
  /** Gives a partition to another process once its owner has let go of it. */
  handOver(): void
  /** Gives a partition away without its owner's knowing: the old owner still writes what it has read, late. */
  cutOff(): void
  /** Owners that were cut off find it out. */
  endCutOffs(): void
  /** The aggregator that has the partition when everything has come to rest. */
  ownerOf(partition: Partition): Aggregator | null
  /** Something that happened and must not. */
  failure(): string | null
}

export type World = {
  readonly random: SeededRandom
  readonly network: Network
  readonly clock: Clock
  readonly eventLog: EventLogModel
  readonly usageStore: UsageStoreModel
  readonly counters: CountersModel
  readonly catalog: CatalogModel
}

type Member = {
  readonly caller: Caller
  readonly aggregator: Aggregator
  handler: LogHandler | null
  readonly leases: Set<Lease>
  isStopping: boolean
}

type Lease = {
  readonly partition: Partition
  readonly member: Member
  isEnded: boolean
  isCutOff: boolean
  isClosed: boolean
  wake: () => void
}

const MEMBERS = 2

export function createCluster(world: World): Cluster {
  const { random, network, eventLog, counters, clock } = world
  let members: Member[] = []
  const leases = new Map<Partition, Lease>()
  let failure: string | null = null

  function start(): Member {
    const caller = createCaller()
    const member: Member = {
      caller,
      handler: null,
      leases: new Set(),
      isStopping: false,
      aggregator: createAggregator({
        eventLog: eventLog.portFor(caller, network, (handler) => {
          member.handler = handler
          return { stop: () => leave(member) }
        }),
        usageStore: world.usageStore.portFor(caller, network, random),
        counters: counters.portFor(caller),
        ...world.catalog.portsFor(caller, network),
        clock: world.clock,
        log: SILENT,
        registry: new Registry(),
        onUndecodable: async () => undefined,
        options: {
          flushIntervalMs: 500,
          flushRowsMax: random.integer(20, 200),
          encodedTogether: random.integer(1, 40),
          // With next to nothing, windows are dropped from memory after every record, and come back from the store.
          windowBytesMax: random.pick([1, 96 * 1024 * 1024]),
          // With next to nothing, all weeks but the newest are forgotten, and the events they could hold are looked up.
          dedupeMemoryBytesMax: random.pick([1, 256 * 1024 * 1024]),
          // The clock jumps by days while calls are under way, which must not time a drain out.
          drainTimeoutMs: 100 * 86_400_000,
          logRetentionMs: random.pick([30_000, 86_400_000]),
        },
      }),
    }
    member.aggregator.start().catch((error: unknown) => {
      if (caller.isAlive) failure ??= `an aggregator did not start: ${String(error)}`
    })
    return member
  }

  async function leave(member: Member): Promise<void> {
    member.handler = null
    for (const lease of member.leases) end(lease)
    await until(clock, () => [...member.leases].every(({ isClosed }) => isClosed))
  }

  function lend(partition: Partition, member: Member, handler: LogHandler): void {
    const lease: Lease = { partition, member, isEnded: false, isCutOff: false, isClosed: false, wake: () => undefined }
    leases.set(partition, lease)
    member.leases.add(lease)
    void feed(lease, handler)
  }

  /** Calls a handler as a log does: again and again until it succeeds. */
  async function feed(lease: Lease, handler: LogHandler): Promise<void> {
    const { partition, member } = lease
    let position = await persistently(lease, () => handler.assigned(partition))
    while (position !== null && !lease.isEnded) {
      const from = position
      const read = () => network.call(member.caller, () => eventLog.read(partition, from, random.integer(1, 8)))
      const records = lease.isCutOff ? [] : ((await persistently(lease, read)) ?? [])
      const last = records.at(-1)
      if (last === undefined) {
        if (!lease.isEnded) await new Promise<void>((resolve) => (lease.wake = resolve))
        continue
      }
      const done = await persistently(lease, () => handler.records(partition, records))
      position = done === null ? null : ((last.offset + 1) as Offset)
    }
    await handler.revoked(partition).catch(() => undefined)
    lease.isClosed = true
    member.leases.delete(lease)
    if (lease.isCutOff) member.caller.hasLost.delete(partition)
    if (leases.get(partition) === lease) leases.delete(partition)
  }

  /** Null when the lease ended before it succeeded. */
  async function persistently<Value>(lease: Lease, attempt: () => Promise<Value>): Promise<Value | null> {
    while (!lease.isEnded) {
      try {
        return await attempt()
      } catch (error) {
        if (isBug(error)) failure ??= String(error)
        await clock.sleep(200)
      }
    }
    return null
  }

  function end(lease: Lease): void {
    lease.isEnded = true
    lease.wake()
  }

  function crash(member: Member): void {
    network.crash(member.caller, 'late')
    members = members.filter((other) => other !== member)
    for (const lease of member.leases) {
      lease.isEnded = true
      lease.isClosed = true
      if (leases.get(lease.partition) === lease) leases.delete(lease.partition)
    }
    member.leases.clear()
  }

  async function stop(member: Member): Promise<void> {
    member.isStopping = true
    await member.aggregator.drain()
    await member.aggregator.stop()
    crash(member)
  }

  const subscribed = () => members.filter(({ handler, isStopping }) => handler !== null && !isStopping)
  /** A process that does not know yet that it lost the partition does not get it again. */
  const freeFor = (partition: Partition) =>
    subscribed().filter((member) => [...member.leases].every((lease) => lease.partition !== partition))
  const someLease = () => random.pick([...leases.values(), null])

  eventLog.onAppend(() => {
    for (const lease of leases.values()) if (!lease.isCutOff) lease.wake()
  })

  return {
    tend() {
      while (members.length < MEMBERS) members.push(start())
      for (let number = 0; number < eventLog.partitions; number++) {
        const partition = number as Partition
        const free = freeFor(partition)
        if (leases.has(partition) || free.length === 0) continue
        const member = random.pick(free)
        if (member.handler !== null) lend(partition, member, member.handler)
      }
    },
    crashOne() {
      if (members.length > 0) crash(random.pick(members))
    },
    crashAll() {
      for (const member of members) crash(member)
      counters.crash()
      counters.start()
    },
    stopOne() {
      const running = subscribed()
      if (running.length === MEMBERS) void stop(random.pick(running))
    },
    handOver() {
      const lease = someLease()
      if (lease !== null) end(lease)
    },
    cutOff() {
      const lease = someLease()
      const others = lease === null ? [] : freeFor(lease.partition)
      if (lease === null || lease.isEnded || others.length === 0) return
      lease.isCutOff = true
      lease.member.caller.hasLost.add(lease.partition)
      const member = random.pick(others)
      if (member.handler !== null) lend(lease.partition, member, member.handler)
    },
    endCutOffs() {
      for (const member of members) for (const lease of member.leases) if (lease.isCutOff) end(lease)
    },
    ownerOf(partition) {
      const lease = leases.get(partition)
      const claims = members.flatMap((member) => [...member.leases].filter((each) => each.partition === partition))
      return lease === undefined || lease.isEnded || claims.length !== 1 ? null : lease.member.aggregator
    },
    failure: () => failure,
  }
}

const SILENT = pino({ level: process.env.SIMULATION_LOG_LEVEL ?? 'silent' })

function isBug(error: unknown): boolean {
  return error instanceof Error && (error.message.startsWith('invariant') || error instanceof TypeError || error instanceof RangeError)
}

async function until(clock: Clock, condition: () => boolean): Promise<void> {
  while (!condition()) await clock.sleep(50)
}
