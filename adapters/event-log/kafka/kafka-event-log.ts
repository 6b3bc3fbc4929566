import type { Registry } from 'prom-client'
import type { Clock } from '../../../base/clock.ts'
import { invariant } from '../../../base/invariant.ts'
import type { Offset, Partition } from '../../../domain/identity.ts'
import { DAY_MS } from '../../../domain/time/durations.ts'
import type { EventLog, LogRecord } from '../event-log.ts'
import { createKafkaDeadLetters } from './kafka-dead-letters.ts'
import { isPassing, type KafkaAddress, kafkaFault, stoppedFault } from './kafka-fault.ts'
import { FETCH_SIZE } from './kafka-fetcher.ts'
import { createKafkaLogMetrics } from './kafka-metrics.ts'
import { createKafkaProducer } from './kafka-producer.ts'
import { type KafkaSubscription, startKafkaSubscription } from './kafka-subscription.ts'
import { ensureKafkaTopic } from './kafka-topic.ts'
import type { KafkaCluster, KafkaWireOptions } from './kafka-wire.ts'
import { createKafkaJsWire } from './wire/kafkajs-wire.ts'
import { bestCompression } from './wire/record-compression.ts'

export type KafkaEventLogOptions = KafkaWireOptions & {
  readonly clock: Clock
  readonly topic: string
  readonly partitions: number
  /** Topic for records that cannot be decoded; by default `<topic>-dead-letters`. */
  readonly deadLetterTopic?: string
  /** Copies of each partition when the topic is created here, as `KafkaTopicOptions`. */
  readonly replication: number | null
  readonly registry: Registry
  /** How long records stay in a topic created here; longer than the dedupe horizon, so that views can be rebuilt. */
  readonly retentionMs?: number
  readonly appendMsMax?: number
  /** Bound on appended and unacknowledged bytes; beyond it appends are the Fault `log_overloaded`. */
  readonly unacknowledgedBytesMax?: number
  /** A consumer without a heartbeat for this long loses its partitions to others. */
  readonly sessionMs?: number
}

/** The event log on Apache Kafka, 2.1 or later. Rejects when the brokers cannot be reached or the topic does not fit. */
export async function createKafkaEventLog(options: KafkaEventLogOptions): Promise<EventLog> {
  const { topic, partitions, clock, log } = options
  const address: KafkaAddress = { brokers: options.brokers, topic }
  const wire = createKafkaJsWire(options)
  const retentionMs = options.retentionMs ?? RETENTION_MS
  const result = await ensureKafkaTopic(wire, { topic, partitions, replication: options.replication, retentionMs }, address, clock)
  log.info({ topic, partitions, result }, 'opened the event log on kafka')
  // Each has its own connections: a broker answers one connection's requests in turn, and a read must not delay an append.
  const openCluster = (): Promise<KafkaCluster> =>
    wire.openCluster(topic).catch((error: unknown) => {
      throw kafkaFault(address, 'be opened', error)
    })
  const writing = await openCluster()
  const reading = await openCluster().catch(async (error: unknown) => {
    await writing.close()
    throw error
  })

  const metrics = createKafkaLogMetrics(options.registry, () => producer.unacknowledgedBytes())
  const producer = createKafkaProducer({
    cluster: writing,
    address,
    compression: bestCompression(),
    appendMsMax: options.appendMsMax ?? 30_000,
    unacknowledgedBytesMax: options.unacknowledgedBytesMax ?? 64 * MiB,
    metrics,
    clock,
    log,
  })
  const deadLetters = createKafkaDeadLetters({
    wire,
    address,
    topic: options.deadLetterTopic ?? `${topic}-dead-letters`,
    replication: options.replication,
    retentionMs,
    clock,
    log,
  })
  let subscription: KafkaSubscription | null = null
  let isStopping = false

  /** Asks again while the reason is temporary: a partition moves to another broker, or a new topic is not yet known to all. */
  async function asked<Value>(attempted: string, request: () => Promise<Value>): Promise<Value> {
    const deadlineMs = performance.now() + ASK_MS_MAX
    for (;;) {
      try {
        await reading.refreshIfOld()
        return await request()
      } catch (error) {
        if (isStopping || !isPassing(error) || performance.now() >= deadlineMs) throw kafkaFault(address, attempted, error)
        log.debug({ err: error }, 'kafka is asked again')
        await clock.sleep(ASK_AGAIN_MS)
        await reading.refresh().catch((cause: unknown) => log.debug({ err: cause }, 'kafka metadata could not be refreshed'))
      }
    }
  }

  async function* read(partition: Partition, from: Offset, to: Offset): AsyncIterable<readonly LogRecord[]> {
    const held = await asked('be read', () => reading.range(partition))
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

  /** Below the end there are records, unless retention has just removed them. A broker that lags behind the leader is asked again. */
  async function recordsBelow(end: Offset, partition: Partition, at: Offset): Promise<readonly LogRecord[]> {
    const broker = await reading.leaderBroker(partition)
    const fetched = await broker.fetch({ positions: [{ partition, from: at }], waitMs: READ_WAIT_MS, ...FETCH_SIZE })
    const records = fetched.get(partition)?.filter((record) => record.offset < end) ?? []
    if (records.length > 0) return records
    const { start } = await reading.range(partition)
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
    range: (partition) => asked('tell its range', () => reading.range(partition)),
    read,
    async subscribe(group, handler) {
      invariant(subscription === null, 'a process has one subscription of the event log')
      await deadLetters.prepare()
      try {
        const started = await startKafkaSubscription({
          wire,
          address,
          topic,
          partitions,
          // Groups belong to the cluster: the same group on another topic would assign partitions that it does not have.
          group: `${topic}.${group}`,
          sessionMs: options.sessionMs ?? SESSION_MS,
          handler,
          metrics,
          clock,
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
    // The topic's own retention drops records, by the same time of receipt.
    trim: async () => undefined,
    setAside: (record, reason) => deadLetters.put(record, reason),
    async ping() {
      if (isStopping) throw stoppedFault(address)
      const fault = subscription?.fault() ?? null
      if (fault !== null) throw fault
      await asked('be reached', async () => {
        await reading.refresh()
        for (let partition = 0; partition < partitions; partition += 1) {
          if (reading.leaderOf(partition as Partition) === null) throw new Error(`partition ${partition} of topic ${topic} has no leader`)
        }
      })
    },
    async stop() {
      isStopping = true
      await subscription?.stop()
      await producer.drain()
      await Promise.all([writing.close(), reading.close(), deadLetters.stop()])
    },
  }
}

const MiB = 1024 * 1024
const RETENTION_MS = 40 * DAY_MS
const SESSION_MS = 15_000
const READ_WAIT_MS = 50
const ASK_MS_MAX = 5_000
const ASK_AGAIN_MS = 100
