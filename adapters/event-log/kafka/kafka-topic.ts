import { setTimeout as delay } from 'node:timers/promises'
import type { Admin } from 'kafkajs'
import { RECORD_BYTES_MAX } from '../event-log.ts'
import { type KafkaAddress, partitionsDifferFault, protocolErrorType } from './kafka-fault.ts'

export type KafkaTopicOptions = {
  readonly topic: string
  readonly partitions: number
  /** Copies of each partition; 3 where there are three brokers. */
  readonly replication: number
  /** How long records stay, by their time of receipt. */
  readonly retentionMs: number
}

/** Makes the topic when it is not there, and refuses one with another number of partitions. */
export async function ensureKafkaTopic(admin: Admin, options: KafkaTopicOptions, address: KafkaAddress): Promise<'created' | 'found'> {
  const { topic, partitions } = options
  const held = await partitionsHeld(admin, topic)
  if (held !== null && held !== partitions) throw partitionsDifferFault(address, held, partitions)
  if (held !== null) return 'found'
  const { isCreated, partitions: made } = await createTopic(admin, options)
  // Another process may have made it in between, with other settings.
  if (made !== partitions) throw partitionsDifferFault(address, made, partitions)
  return isCreated ? 'created' : 'found'
}

/** One partition: there are few dead letters, and each says where it was. A topic that is there is taken as it is. */
export async function ensureDeadLetterTopic(admin: Admin, options: Omit<KafkaTopicOptions, 'partitions'>): Promise<void> {
  if ((await partitionsHeld(admin, options.topic)) === null) await createTopic(admin, { ...options, partitions: 1 })
}

/** Not created when another process was faster; resolves when the brokers serve it. */
async function createTopic(
  admin: Admin,
  { topic, partitions, replication, retentionMs }: KafkaTopicOptions,
): Promise<{ readonly isCreated: boolean; readonly partitions: number }> {
  const isCreated = await admin.createTopics({
    // The client's own wait fails on a broker that has not heard of the topic yet.
    waitForLeaders: false,
    timeout: CREATE_MS_MAX,
    topics: [
      {
        topic,
        numPartitions: partitions,
        replicationFactor: replication,
        configEntries: [
          // The time that we hand in is the record's time, and retention goes by it.
          { name: 'message.timestamp.type', value: 'CreateTime' },
          { name: 'cleanup.policy', value: 'delete' },
          { name: 'retention.ms', value: String(retentionMs) },
          { name: 'max.message.bytes', value: String(2 * RECORD_BYTES_MAX) },
          // With one copy lost, two must still agree before an append is answered.
          { name: 'min.insync.replicas', value: String(replication > 2 ? 2 : 1) },
          { name: 'unclean.leader.election.enable', value: 'false' },
        ],
      },
    ],
  })
  return { isCreated, partitions: await partitionsOnceServed(admin, topic) }
}

/** Brokers hear of a new topic one after the other, and its leaders are chosen after that. */
async function partitionsOnceServed(admin: Admin, topic: string): Promise<number> {
  for (let waitedMs = 0; ; waitedMs += SERVED_POLL_MS) {
    const held = await partitionsHeld(admin, topic).catch((error: unknown) => {
      if (protocolErrorType(error) !== 'LEADER_NOT_AVAILABLE' || waitedMs >= CREATE_MS_MAX) throw error
      return null
    })
    if (held !== null) return held
    if (waitedMs >= CREATE_MS_MAX) throw new Error(`topic ${topic} was made, but no broker serves it after ${CREATE_MS_MAX} ms`)
    await delay(SERVED_POLL_MS)
  }
}

async function partitionsHeld(admin: Admin, topic: string): Promise<number | null> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return topics.find((found) => found.name === topic)?.partitions.length ?? null
  } catch (error) {
    if (protocolErrorType(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return null
    throw error
  }
}

const CREATE_MS_MAX = 20_000
const SERVED_POLL_MS = 50
