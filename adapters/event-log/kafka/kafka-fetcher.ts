import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { InstantMs, Offset, Partition } from '../../../domain/identity.ts'
import type { LogRange, LogRecord } from '../event-log.ts'
import { type FetchedPartition, isTimeout, type KafkaBroker, type KafkaCluster, leaderOf } from './kafka-cluster.ts'
import { type KafkaAddress, logEndsEarlyFault, protocolErrorType } from './kafka-fault.ts'
import type { KafkaLogMetrics } from './kafka-metrics.ts'
import type { KafkaPartitionFeed } from './kafka-partition-feed.ts'

export type KafkaFetcherOptions = {
  readonly cluster: KafkaCluster
  readonly topic: string
  readonly address: KafkaAddress
  readonly feeds: () => Iterable<KafkaPartitionFeed>
  readonly metrics: KafkaLogMetrics
  readonly log: Logger
}

export type KafkaFetcher = {
  /** A feed wants records. */
  wake(): void
  stop(): Promise<void>
}

/** Keeps one fetch under way at each broker that leads a partition whose feed wants records. */
export function startKafkaFetcher(options: KafkaFetcherOptions): KafkaFetcher {
  const { cluster, topic, log, metrics } = options
  const underWay = new Map<number, Promise<void>>()
  const stopping = new AbortController()
  let isFailing = false

  function wake(): void {
    if (stopping.signal.aborted) return
    for (const [node, wanted] of wantedByLeader()) {
      if (underWay.has(node)) continue
      const fetching = fetchFrom(node, wanted).finally(() => {
        underWay.delete(node)
        wake()
      })
      underWay.set(node, fetching)
    }
  }

  function wantedByLeader(): ReadonlyMap<number, readonly Wanted[]> {
    const wanted = new Map<number, Wanted[]>()
    for (const feed of options.feeds()) {
      const from = feed.fetchFrom()
      if (from === null) continue
      const node = knownLeader(feed.partition)
      const ofNode = wanted.get(node)
      if (ofNode === undefined) wanted.set(node, [{ feed, from }])
      else ofNode.push({ feed, from })
    }
    return wanted
  }

  function knownLeader(partition: Partition): number {
    try {
      return leaderOf(cluster, topic, partition)
    } catch {
      return NO_NODE
    }
  }

  /** Never rejects: what fails is fetched again. */
  async function fetchFrom(node: number, wanted: readonly Wanted[]): Promise<void> {
    let broker: KafkaBroker | undefined
    try {
      await cluster.refreshMetadataIfNecessary()
      broker = await cluster.findBroker({ nodeId: node })
      const positions = wanted.map(({ feed, from }) => ({ partition: feed.partition, from }))
      const fetched = await fetchPartitions(broker, topic, positions, FETCH_WAIT_MS)
      for (const { feed, from } of wanted) feed.offer(from, recordsFrom(fetched.get(feed.partition), from))
      isFailing = false
    } catch (error) {
      if (stopping.signal.aborted) return
      const reason = protocolErrorType(error) ?? 'connection'
      metrics.failures.inc({ reason })
      if (reason === 'OFFSET_OUT_OF_RANGE') await bringIntoRange(wanted)
      else {
        // Once per outage: it is tried again five times a second.
        log[isFailing ? 'debug' : 'warn']({ reason, err: error }, 'records could not be fetched from kafka')
        isFailing = true
        if (isTimeout(error)) await broker?.disconnect()
        await pause()
        await cluster.refreshMetadata().catch((cause: unknown) => log.debug({ err: cause }, 'kafka metadata could not be refreshed'))
      }
    }
  }

  /** Below the oldest record: retention was faster than we. Beyond the end: the log is not the one that was read before. */
  async function bringIntoRange(wanted: readonly Wanted[]): Promise<void> {
    try {
      let isStuck = false
      for (const { feed, from } of wanted) {
        const held = await kafkaRange(cluster, topic, feed.partition)
        if (from < held.start) {
          log.warn({ partition: feed.partition, position: from, oldest: held.start }, 'resumed at the oldest record held')
          feed.skip(from, held.start)
        } else if (from > held.next) {
          const fault = logEndsEarlyFault(options.address, feed.partition, from, held.next)
          log.error({ err: fault, partition: feed.partition }, 'event log ends before what was read of it')
          feed.setFault(fault)
          isStuck = true
        }
      }
      if (isStuck) await pause(STUCK_MS)
    } catch (error) {
      log.warn({ err: error }, 'range of a partition could not be read from kafka')
      await pause()
    }
  }

  const pause = (ms = RETRY_MS) => delay(ms, undefined, { signal: stopping.signal }).catch(() => undefined)

  return {
    wake,
    async stop() {
      stopping.abort()
      await Promise.all(underWay.values())
    },
  }
}

type Wanted = { readonly feed: KafkaPartitionFeed; readonly from: Offset }

const NO_NODE = -1
/** How long a broker may wait for records; also how late a feed that turns hungry meanwhile joins the next fetch. */
const FETCH_WAIT_MS = 100
const FETCH_BYTES_MAX = 8 * 1024 * 1024
const FETCH_PARTITION_BYTES_MAX = 1024 * 1024
const RETRY_MS = 200
const STUCK_MS = 2_000

/** One request to the broker that leads all these partitions. */
export async function fetchPartitions(
  broker: KafkaBroker,
  topic: string,
  positions: readonly { readonly partition: Partition; readonly from: Offset }[],
  waitMs: number,
): Promise<ReadonlyMap<number, FetchedPartition>> {
  const { responses } = await broker.fetch({
    maxWaitTime: waitMs,
    minBytes: 1,
    maxBytes: FETCH_BYTES_MAX,
    // Nothing in this log is transactional.
    isolationLevel: 0,
    topics: [
      {
        topic,
        partitions: positions.map(({ partition, from }) => ({ partition, fetchOffset: String(from), maxBytes: FETCH_PARTITION_BYTES_MAX })),
      },
    ],
  })
  return new Map(responses.flatMap(({ partitions }) => partitions.map((fetched) => [fetched.partition, fetched] as const)))
}

/** A broker answers with whole batches, of which the first may begin before the offset asked for. */
export function recordsFrom(fetched: FetchedPartition | undefined, from: Offset): readonly LogRecord[] {
  const records: LogRecord[] = []
  for (const { offset, timestamp, value, isControlRecord } of fetched?.messages ?? []) {
    const at = Number(offset)
    if (at < from || isControlRecord || value === null) continue
    records.push({
      partition: (fetched?.partition ?? 0) as Partition,
      offset: at as Offset,
      receivedAtMs: Number(timestamp) as InstantMs,
      value,
    })
  }
  return records
}

/** Asks the leader for the oldest and the next offset. */
export async function kafkaRange(cluster: KafkaCluster, topic: string, partition: Partition): Promise<LogRange> {
  const ask = async (fromBeginning: boolean) => {
    const offsets = await cluster.fetchTopicsOffset([{ topic, partitions: [{ partition }], fromBeginning }])
    const found = offsets[0]?.partitions[0]?.offset
    if (found === undefined) throw new Error(`partition ${partition} of topic ${topic} is unknown`)
    return Number(found) as Offset
  }
  const start = await ask(true)
  return { start, next: await ask(false) }
}
