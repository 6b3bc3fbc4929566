import type { Logger } from 'pino'
import type { Clock } from '../../../base/clock.ts'
import type { Offset } from '../../../domain/identity.ts'
import { answerOf, type KafkaAddress, logEndsEarlyFault } from './kafka-fault.ts'
import type { KafkaLogMetrics } from './kafka-metrics.ts'
import type { KafkaPartitionFeed } from './kafka-partition-feed.ts'
import type { KafkaCluster } from './kafka-wire.ts'

export type KafkaFetcherOptions = {
  readonly cluster: KafkaCluster
  readonly address: KafkaAddress
  readonly feeds: () => Iterable<KafkaPartitionFeed>
  readonly metrics: KafkaLogMetrics
  readonly clock: Clock
  readonly log: Logger
}

export type KafkaFetcher = {
  /** Reports that a feed wants records. */
  wake(): void
  stop(): Promise<void>
}

/** Keeps one fetch under way at each broker that leads a partition whose feed wants records. */
export function startKafkaFetcher(options: KafkaFetcherOptions): KafkaFetcher {
  const { cluster, clock, log, metrics } = options
  const underWay = new Map<number, Promise<void>>()
  const stopping = new AbortController()
  let isFailing = false
  let turn = 0

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
      const node = cluster.leaderOf(feed.partition) ?? NO_NODE
      const ofNode = wanted.get(node)
      if (ofNode === undefined) wanted.set(node, [{ feed, from }])
      else ofNode.push({ feed, from })
    }
    return wanted
  }

  /** Never rejects: a fetch that failed is repeated. */
  async function fetchFrom(node: number, wanted: readonly Wanted[]): Promise<void> {
    try {
      await cluster.refreshIfOld()
      const broker = await cluster.broker(node)
      // A broker fills its answer in this order, up to a bound, so another partition comes first each time.
      turn = (turn + 1) % wanted.length
      const positions = [...wanted.slice(turn), ...wanted.slice(0, turn)].map(({ feed, from }) => ({ partition: feed.partition, from }))
      const fetched = await broker.fetch({ positions, waitMs: FETCH_WAIT_MS, ...FETCH_SIZE })
      for (const { feed, from } of wanted) feed.offer(from, fetched.get(feed.partition) ?? [])
      isFailing = false
    } catch (error) {
      if (stopping.signal.aborted) return
      const reason = answerOf(error) ?? 'connection'
      metrics.failures.inc({ reason })
      if (reason === 'OFFSET_OUT_OF_RANGE') await bringIntoRange(wanted)
      else {
        // Logged as a warning once per outage, as the fetch is repeated five times a second.
        log[isFailing ? 'debug' : 'warn']({ reason, err: error }, 'records could not be fetched from kafka')
        isFailing = true
        await pause()
        await cluster.refresh().catch((cause: unknown) => log.debug({ err: cause }, 'kafka metadata could not be refreshed'))
      }
    }
  }

  /** Position below the oldest record: retention was faster than we were. Beyond the end: this is another log than the one read before. */
  async function bringIntoRange(wanted: readonly Wanted[]): Promise<void> {
    try {
      let isStuck = false
      for (const { feed, from } of wanted) {
        const held = await cluster.range(feed.partition)
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

  const pause = (ms = RETRY_MS) => clock.sleep(ms, stopping.signal)

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
export const FETCH_SIZE = { bytesMax: 8 * 1024 * 1024, partitionBytesMax: 1024 * 1024 } as const
const RETRY_MS = 200
const STUCK_MS = 2_000
