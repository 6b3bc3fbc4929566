import type { Logger } from 'pino'
import type { Clock } from '../../../base/clock.ts'
import { within } from '../../../base/deadline.ts'
import { answerOf, type KafkaAddress, kafkaFault } from './kafka-fault.ts'
import { assignPartitions, decodeClaim, encodeClaim } from './kafka-group-assignment.ts'
import type { KafkaLogMetrics } from './kafka-metrics.ts'
import type { KafkaBroker, KafkaCluster } from './kafka-wire.ts'

export type KafkaGroupMemberOptions = {
  readonly cluster: KafkaCluster
  readonly address: KafkaAddress
  readonly partitions: number
  readonly group: string
  /** Without a heartbeat for this long the coordinator gives our partitions to others. */
  readonly sessionMs: number
  readonly onGiven: (partition: number) => void
  /** Resolves when the partition is no longer worked on; only then may another member get it. */
  readonly onTaken: (partition: number) => Promise<void>
  readonly metrics: KafkaLogMetrics
  readonly clock: Clock
  readonly log: Logger
}

export type KafkaGroupMember = {
  /** Why we are not in the group at the moment, or null. */
  fault(): unknown
  /** Lets go of every partition, then leaves, so that the others need not wait for the session to end. */
  stop(): Promise<void>
}

/** Our membership in the consumer group: joins, sends heartbeats, and reports which partitions come and go. See `assignPartitions`. */
export function joinKafkaGroup(options: KafkaGroupMemberOptions): KafkaGroupMember {
  const { cluster, group, clock, log } = options
  const stopping = new AbortController()
  const owned = new Set<number>()
  let memberId = ''
  let generation = -1
  let fault: unknown = null
  /** The last time that the coordinator confirmed our membership. */
  let confirmedMs = performance.now()
  let coordinator: KafkaBroker | null = null

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        coordinator ??= await cluster.coordinator(group)
        const given = await joinAndSync(coordinator)
        fault = null
        // Partitions must be let go of: the group waits for us to join again without them.
        if (await takeOver(coordinator, given)) await keepAlive(coordinator)
      } catch (error) {
        await recover(error)
      }
    }
    await letGo([...owned])
    if (memberId !== '') await coordinator?.leaveGroup({ group, generation, memberId }).catch(() => undefined)
  }

  async function joinAndSync(broker: KafkaBroker): Promise<ReadonlySet<number>> {
    const joined = await broker.joinGroup({
      group,
      memberId,
      sessionMs: options.sessionMs,
      rebalanceMs: REBALANCE_MS_MAX,
      protocol: PROTOCOL,
      claim: encodeClaim({ generation, owned: [...owned] }),
    })
    memberId = joined.memberId
    confirmedMs = performance.now()
    const claims = joined.members.map((member) => decodeClaim(member.memberId, member.claim))
    const shares = joined.isLeader ? assignPartitions(claims, options.partitions) : NO_SHARES
    const given = await broker.syncGroup({ group, generation: joined.generation, memberId }, shares)
    generation = joined.generation
    options.metrics.rebalances.inc()
    log.info(
      { group, generation, members: joined.isLeader ? claims.length : undefined, partitions: given.length },
      'joined the group of consumers',
    )
    return new Set(given)
  }

  /** True when there was nothing to let go of. */
  async function takeOver(broker: KafkaBroker, given: ReadonlySet<number>): Promise<boolean> {
    const taken = [...owned].filter((partition) => !given.has(partition))
    for (const partition of given) {
      if (owned.has(partition)) continue
      owned.add(partition)
      options.onGiven(partition)
    }
    options.metrics.assigned.set(given.size)
    if (taken.length === 0) return true
    const released = letGo(taken)
    await heartbeatUntil(broker, released)
    return false
  }

  /** The handler may take its time to finish its records; the coordinator must not take us for dead meanwhile. */
  async function heartbeatUntil(broker: KafkaBroker, released: Promise<void>): Promise<void> {
    let isReleased = false
    const done = released.finally(() => (isReleased = true))
    while (!isReleased) {
      await within(clock, heartbeatMs, done)
      // A rebalance under way is known here already.
      if (!isReleased) await heartbeat(broker).catch(ignoreRebalance)
    }
  }

  async function keepAlive(broker: KafkaBroker): Promise<void> {
    while (!stopping.signal.aborted) {
      await pause(heartbeatMs)
      if (!stopping.signal.aborted) await heartbeat(broker)
    }
  }

  async function heartbeat(broker: KafkaBroker): Promise<void> {
    await broker.heartbeat({ group, generation, memberId })
    confirmedMs = performance.now()
  }

  async function recover(error: unknown): Promise<void> {
    const answer = answerOf(error)
    // Someone joins or leaves: we rejoin and keep working on our partitions.
    if (answer === 'REBALANCE_IN_PROGRESS') {
      confirmedMs = performance.now()
      return
    }
    if (stopping.signal.aborted) return
    log.warn({ group, reason: answer ?? 'connection', err: error }, 'lost touch with the group of consumers')
    options.metrics.failures.inc({ reason: answer ?? 'connection' })
    coordinator = null
    const isThrownOut = answer !== null && THROWN_OUT.has(answer)
    // Cut off for a whole session: others have our partitions by now, as if we had been thrown out.
    if (isThrownOut || performance.now() - confirmedMs > options.sessionMs) {
      memberId = ''
      generation = -1
      await letGo([...owned])
    }
    if (isThrownOut) return
    fault = kafkaFault(options.address, `consume as a member of group ${group}`, error)
    await pause(RETRY_MS)
    await cluster.refresh().catch((cause: unknown) => log.debug({ err: cause }, 'kafka metadata could not be refreshed'))
  }

  async function letGo(partitions: readonly number[]): Promise<void> {
    await Promise.all(
      partitions.map(async (partition) => {
        await options.onTaken(partition)
        owned.delete(partition)
      }),
    )
    options.metrics.assigned.set(owned.size)
  }

  const heartbeatMs = Math.min(HEARTBEAT_MS_MAX, options.sessionMs / 4)
  const pause = (ms: number) => clock.sleep(ms, stopping.signal)
  const running = run()
  return {
    fault: () => fault,
    async stop() {
      stopping.abort()
      // A rebalance that waits for a dead member holds up our own request to join; its partitions are let go of nevertheless.
      await within(clock, STOP_MS_MAX, running)
      await letGo([...owned])
    },
  }
}

/** Names our assignment protocol; members with another protocol cannot join the same group. */
const PROTOCOL = 'tollgate-cooperative-1'
const REBALANCE_MS_MAX = 60_000
const HEARTBEAT_MS_MAX = 1_000
const RETRY_MS = 200
const STOP_MS_MAX = 10_000
const NO_SHARES: ReadonlyMap<string, readonly number[]> = new Map()
const THROWN_OUT: ReadonlySet<string> = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID'])

function ignoreRebalance(error: unknown): void {
  if (answerOf(error) !== 'REBALANCE_IN_PROGRESS') throw error
}
