import type { Clock } from '../../../base/clock.ts'
import { RECORD_BYTES_MAX } from '../event-log.ts'
import { answerOf, type KafkaAddress, kafkaFault, partitionsDifferFault } from './kafka-fault.ts'
import type { KafkaTopics, KafkaWire } from './kafka-wire.ts'

export type KafkaTopicOptions = {
  readonly topic: string
  readonly partitions: number
  /** Copies of each partition. Null for three, or one on the only broker there is (`copiesByDefault`). */
  readonly replication: number | null
  /** How long records stay, by their time of receipt. */
  readonly retentionMs: number
}

/** Creates the topic when it does not exist, and refuses an existing one with another number of partitions. */
export async function ensureKafkaTopic(
  wire: KafkaWire,
  options: KafkaTopicOptions,
  address: KafkaAddress,
  clock: Clock,
): Promise<'created' | 'found'> {
  const { topic, partitions } = options
  return await withTopics(wire, async (topics) => {
    const held = await topics.partitionsOf(topic)
    if (held !== null && held !== partitions) throw partitionsDifferFault(address, held, partitions)
    if (held !== null) return 'found'
    const { isCreated, partitions: made } = await createTopic(topics, options, address, clock)
    // Another process may have created it in between, with other settings.
    if (made !== partitions) throw partitionsDifferFault(address, made, partitions)
    return isCreated ? 'created' : 'found'
  }).catch((error: unknown) => {
    throw kafkaFault(address, 'be opened', error)
  })
}

/** One partition is enough: dead letters are few, and each says where it was. An existing topic is taken as it is. */
export async function ensureDeadLetterTopic(
  wire: KafkaWire,
  options: Omit<KafkaTopicOptions, 'partitions'>,
  address: KafkaAddress,
  clock: Clock,
): Promise<void> {
  await withTopics(wire, async (topics) => {
    if ((await topics.partitionsOf(options.topic)) === null) await createTopic(topics, { ...options, partitions: 1 }, address, clock)
  }).catch((error: unknown) => {
    throw kafkaFault(address, 'be made for dead letters', error)
  })
}

async function withTopics<Result>(wire: KafkaWire, work: (topics: KafkaTopics) => Promise<Result>): Promise<Result> {
  const topics = await wire.openTopics()
  try {
    return await work(topics)
  } finally {
    await topics.close()
  }
}

/** Creates nothing when another process was faster; resolves when the brokers serve the topic. */
async function createTopic(
  topics: KafkaTopics,
  { topic, partitions, replication, retentionMs }: KafkaTopicOptions,
  address: KafkaAddress,
  clock: Clock,
): Promise<{ readonly isCreated: boolean; readonly partitions: number }> {
  const copies = replication ?? (await copiesByDefault(topics, address))
  const isCreated = await topics.create({
    name: topic,
    partitions,
    replication: copies,
    msMax: CREATE_MS_MAX,
    settings: {
      // The time that we hand in is the record's time, which retention goes by.
      'message.timestamp.type': 'CreateTime',
      'cleanup.policy': 'delete',
      'retention.ms': String(retentionMs),
      'max.message.bytes': String(2 * RECORD_BYTES_MAX),
      // With one copy lost, two must still agree before an append is answered.
      'min.insync.replicas': String(copies > 2 ? 2 : 1),
      'unclean.leader.election.enable': 'false',
    },
  })
  return { isCreated, partitions: await partitionsOnceServed(topics, topic, clock) }
}

/**
 * A cluster of one broker, as on a developer's machine, can hold one copy only. The address must name one broker as well, so that
 * a cluster of which a single broker is up so far is not taken for it.
 */
async function copiesByDefault(topics: KafkaTopics, { brokers }: KafkaAddress): Promise<number> {
  return brokers.length === 1 && (await topics.brokerCount()) === 1 ? 1 : COPIES_BY_DEFAULT
}

const COPIES_BY_DEFAULT = 3

/** Brokers hear of a new topic one after the other, and its leaders are chosen after that. */
async function partitionsOnceServed(topics: KafkaTopics, topic: string, clock: Clock): Promise<number> {
  for (let waitedMs = 0; ; waitedMs += SERVED_POLL_MS) {
    const held = await topics.partitionsOf(topic).catch((error: unknown) => {
      if (answerOf(error) !== 'LEADER_NOT_AVAILABLE' || waitedMs >= CREATE_MS_MAX) throw error
      return null
    })
    if (held !== null) return held
    if (waitedMs >= CREATE_MS_MAX) throw new Error(`topic ${topic} was made, but no broker serves it after ${CREATE_MS_MAX} ms`)
    await clock.sleep(SERVED_POLL_MS)
  }
}

const CREATE_MS_MAX = 20_000
const SERVED_POLL_MS = 50
