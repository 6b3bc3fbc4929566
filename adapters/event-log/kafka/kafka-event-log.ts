import { setTimeout as delay } from 'node:timers/promises'
import type { ConnectionOptions } from 'node:tls'
import type { SASLOptions } from 'kafkajs'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { invariant } from '../../../base/invariant.ts'
import type { Offset, Partition } from '../../../domain/identity.ts'
import type { EventLog, LogRecord } from '../event-log.ts'
import { createKafkaClient, type KafkaCluster, leaderOf, openKafkaCluster } from './kafka-cluster.ts'
import { bestCompression } from './kafka-compression.ts'
import { createKafkaDeadLetters } from './kafka-dead-letters.ts'
import { isPassing, type KafkaAddress, kafkaFault, stoppedFault } from './kafka-fault.ts'
import { fetchPartitions, kafkaRange, recordsFrom } from './kafka-fetcher.ts'
import { createKafkaLogMetrics } from './kafka-metrics.ts'
import { createKafkaProducer } from './kafka-producer.ts'
import { type KafkaSubscription, startKafkaSubscription } from './kafka-subscription.ts'
import { ensureKafkaTopic } from './kafka-topic.ts'

export type KafkaEventLogOptions = {
  /** host:port of brokers to start from; they name the others. */
  readonly brokers: readonly string[]
  readonly topic: string
  readonly partitions: number
  /** Where records go that cannot be decoded; by default `<topic>-dead-letters`. */
  readonly deadLetterTopic?: string
  /** Copies of each partition when we make the topic. */
  readonly replication: number
  readonly clientId: string
  /** True for TLS with the system's authorities, or its settings. */
  readonly ssl?: boolean | ConnectionOptions
  readonly sasl?: SASLOptions
  readonly log: Logger
  readonly registry: Registry
  /** How long records stay in a topic that we make; longer than the dedupe horizon, so that views can be rebuilt. */
  readonly retentionMs?: number
  readonly appendMsMax?: number
  /** Appended and not yet acknowledged; beyond, appends are the Fault `log_overloaded`. */
  readonly unacknowledgedBytesMax?: number
  /** Without a heartbeat for this long a consumer's partitions go to others. */
  readonly sessionMs?: number
}

/** The event log on Apache Kafka, 2.1 or later. Rejects when the brokers cannot be reached or the topic does not fit. */
export async function createKafkaEventLog(options: KafkaEventLogOptions): Promise<EventLog> {
  const { topic, partitions, log } = options
  const address: KafkaAddress = { brokers: options.brokers, topic }
  const client = createKafkaClient(options)
  await prepareTopic()
  // Each has connections of its own: a broker answers one connection's requests in turn, and a read must not delay an append.
  const writing = await openCluster()
  const reading = await openCluster()

  const metrics = createKafkaLogMetrics(options.registry, () => producer.unacknowledgedBytes())
  const producer = createKafkaProducer({
    cluster: writing,
    address,
    topic,
    compression: bestCompression(),
    appendMsMax: options.appendMsMax ?? 30_000,
    unacknowledgedBytesMax: options.unacknowledgedBytesMax ?? 64 * MiB,
    metrics,
    log,
  })
  const deadLetters = createKafkaDeadLetters({
    client,
    address,
    topic: options.deadLetterTopic ?? `${topic}-dead-letters`,
    replication: options.replication,
    retentionMs: options.retentionMs ?? RETENTION_MS,
    log,
  })
  let subscription: KafkaSubscription | null = null
  let isStopping = false

  async function prepareTopic(): Promise<void> {
    const admin = client.admin()
    try {
      await admin.connect()
      const wanted = { topic, partitions, replication: options.replication, retentionMs: options.retentionMs ?? RETENTION_MS }
      const result = await ensureKafkaTopic(admin, wanted, address)
      log.info({ topic, partitions, result }, 'opened the event log on kafka')
    } catch (error) {
      throw kafkaFault(address, 'be opened', error)
    } finally {
      await admin.disconnect().catch(() => undefined)
    }
  }

  async function openCluster(): Promise<KafkaCluster> {
    const cluster = openKafkaCluster(client, topic)
    try {
      await cluster.connect()
      await cluster.addTargetTopic(topic)
      return cluster
    } catch (error) {
      await cluster.disconnect()
      throw kafkaFault(address, 'be opened', error)
    }
  }

  /** Asks again while the reason is passing: a partition moves to another broker, or a new topic is not yet known to all. */
  async function asked<Value>(attempted: string, request: () => Promise<Value>): Promise<Value> {
    const deadlineMs = performance.now() + ASK_MS_MAX
    for (;;) {
      try {
        await reading.refreshMetadataIfNecessary()
        return await request()
      } catch (error) {
        if (isStopping || !isPassing(error) || performance.now() >= deadlineMs) throw kafkaFault(address, attempted, error)
        log.debug({ err: error }, 'kafka is asked again')
        await delay(ASK_AGAIN_MS)
        await reading.refreshMetadata().catch((cause: unknown) => log.debug({ err: cause }, 'kafka metadata could not be refreshed'))
      }
    }
  }

  async function* read(partition: Partition, from: Offset, to: Offset): AsyncIterable<readonly LogRecord[]> {
    const held = await asked('be read', () => kafkaRange(reading, topic, partition))
    const end = Math.min(to, held.next) as Offset
    let at = Math.max(from, held.start) as Offset
    while (at < end) {
      const records = await asked('be read', () => recordsBelow(end, partition, at))
      const last = records.at(-1)
      if (last === undefined) return
      yield records
      at = (last.offset + 1) as Offset
    }
  }

  /** Below the end there are records, none only when retention has just removed them. A broker that is behind the leader is asked again. */
  async function recordsBelow(end: Offset, partition: Partition, at: Offset): Promise<readonly LogRecord[]> {
    const broker = await reading.findBroker({ nodeId: leaderOf(reading, topic, partition) })
    const fetched = await fetchPartitions(broker, topic, [{ partition, from: at }], READ_WAIT_MS)
    const records = recordsFrom(fetched.get(partition), at).filter((record) => record.offset < end)
    if (records.length > 0) return records
    const { start } = await kafkaRange(reading, topic, partition)
    if (start >= end) return []
    if (start > at) return await recordsBelow(end, partition, start)
    throw new Error(`no broker gives record ${at} of partition ${partition}, which is below the end of the log`)
  }

  return {
    partitions,
    append(partition, value, receivedAtMs) {
      if (isStopping) return Promise.reject(stoppedFault(address))
      return producer.append(partition, value, receivedAtMs)
    },
    range: (partition) => asked('tell its range', () => kafkaRange(reading, topic, partition)),
    read,
    async subscribe(group, handler) {
      invariant(subscription === null, 'a process has one subscription of the event log')
      await deadLetters.prepare()
      try {
        const started = await startKafkaSubscription({
          client,
          address,
          topic,
          partitions,
          // Groups belong to the cluster: the same one on another topic would share out partitions that it does not have.
          group: `${topic}.${group}`,
          sessionMs: options.sessionMs ?? SESSION_MS,
          handler,
          metrics,
          log,
        })
        subscription = started
        return {
          async stop() {
            await started.stop()
            subscription = null
          },
        }
      } catch (error) {
        throw kafkaFault(address, 'be subscribed to', error)
      }
    },
    // The topic's own retention does it, by the same time of receipt.
    trim: async () => undefined,
    setAside: (record, reason) => deadLetters.put(record, reason),
    async ping() {
      if (isStopping) throw stoppedFault(address)
      const fault = subscription?.fault() ?? null
      if (fault !== null) throw fault
      await asked('be reached', async () => {
        await reading.refreshMetadata()
        for (let partition = 0; partition < partitions; partition += 1) leaderOf(reading, topic, partition)
      })
    },
    async stop() {
      isStopping = true
      await subscription?.stop()
      await producer.drain()
      await Promise.all([writing.disconnect(), reading.disconnect(), deadLetters.stop()])
    },
  }
}

const MiB = 1024 * 1024
const DAY_MS = 86_400_000
const RETENTION_MS = 40 * DAY_MS
const SESSION_MS = 15_000
const READ_WAIT_MS = 50
const ASK_MS_MAX = 5_000
const ASK_AGAIN_MS = 100
