import type { Logger } from 'pino'
import type { Clock } from '../../../base/clock.ts'
import type { Partition } from '../../../domain/identity.ts'
import type { LogHandler, LogSubscription } from '../event-log.ts'
import type { KafkaAddress } from './kafka-fault.ts'
import { startKafkaFetcher } from './kafka-fetcher.ts'
import { joinKafkaGroup } from './kafka-group-member.ts'
import type { KafkaLogMetrics } from './kafka-metrics.ts'
import { type KafkaPartitionFeed, startKafkaPartitionFeed } from './kafka-partition-feed.ts'
import type { KafkaWire } from './kafka-wire.ts'

export type KafkaSubscription = LogSubscription & {
  /** The error that keeps us from consuming, or null. */
  fault(): unknown
}

/**
 * Consumes the partitions that the group gives us. Positions come from the handler and are never committed to Kafka: they were
 * written together with the views of the records, so they cannot disagree.
 */
export async function startKafkaSubscription(options: {
  readonly wire: KafkaWire
  readonly address: KafkaAddress
  readonly topic: string
  readonly partitions: number
  readonly group: string
  readonly sessionMs: number
  readonly handler: LogHandler
  readonly metrics: KafkaLogMetrics
  readonly clock: Clock
  readonly log: Logger
}): Promise<KafkaSubscription> {
  const { metrics, clock, log } = options
  const cluster = await options.wire.openCluster(options.topic)
  const feeds = new Map<number, KafkaPartitionFeed>()
  const fetcher = startKafkaFetcher({ cluster, address: options.address, feeds: () => feeds.values(), metrics, clock, log })
  const member = joinKafkaGroup({
    ...options,
    cluster,
    onGiven(partition) {
      const feed = startKafkaPartitionFeed({
        partition: partition as Partition,
        handler: options.handler,
        onHungry: fetcher.wake,
        onFailure: () => metrics.failures.inc({ reason: 'handler' }),
        clock,
        log,
      })
      feeds.set(partition, feed)
    },
    async onTaken(partition) {
      await feeds.get(partition)?.close()
      feeds.delete(partition)
    },
  })
  return {
    fault: () => member.fault() ?? [...feeds.values()].map((feed) => feed.fault()).find((fault) => fault !== null) ?? null,
    async stop() {
      await member.stop()
      await fetcher.stop()
      await cluster.close()
    },
  }
}
