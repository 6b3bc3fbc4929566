import type { Logger } from 'pino'
import type { Clock } from '../../../base/clock.ts'
import type { LogRecord } from '../event-log.ts'
import { type KafkaAddress, kafkaFault } from './kafka-fault.ts'
import { ensureDeadLetterTopic } from './kafka-topic.ts'
import type { KafkaSender, KafkaWire } from './kafka-wire.ts'

export type KafkaDeadLettersOptions = {
  readonly wire: KafkaWire
  /** The address of the log that the records are from. */
  readonly address: KafkaAddress
  readonly topic: string
  readonly replication: number | null
  readonly retentionMs: number
  readonly clock: Clock
  readonly log: Logger
}

export type KafkaDeadLetters = {
  /** Creates the topic when it does not exist, so that a missing right shows at the start and not at the first bad record. */
  prepare(): Promise<void>
  /** Resolves when all in-sync replicas have the record. */
  put(record: LogRecord, reason: string): Promise<void>
  stop(): Promise<void>
}

/**
 * A topic for records that cannot be decoded: the record's own bytes, with its place as key and, with the reason, in the headers.
 * They are few and need no idempotence: a record that stands twice has the same key.
 */
export function createKafkaDeadLetters(options: KafkaDeadLettersOptions): KafkaDeadLetters {
  const { wire, topic, log } = options
  const address: KafkaAddress = { ...options.address, topic }
  let connecting: Promise<KafkaSender> | null = null

  const ensureTopic = () => ensureDeadLetterTopic(wire, options, address, options.clock)

  async function connect(): Promise<KafkaSender> {
    await ensureTopic()
    return await wire.openSender(topic)
  }

  /** The next record opens a new connection. */
  async function disconnect(attempt: Promise<KafkaSender>): Promise<void> {
    if (connecting === attempt) connecting = null
    await attempt
      .then((sender) => sender.close())
      .catch((cause: unknown) => log.debug({ err: cause }, 'connection for dead letters not closed'))
  }

  return {
    prepare: ensureTopic,
    async put(record, reason) {
      connecting ??= connect()
      const attempt = connecting
      try {
        const sender = await attempt
        await sender.send(deadLetter(options.address, record, reason))
      } catch (error) {
        await disconnect(attempt)
        throw kafkaFault(address, 'take a dead letter', error)
      }
    },
    async stop() {
      if (connecting !== null) await disconnect(connecting)
    },
  }
}

const REASON_CHARACTERS_MAX = 2_000

function deadLetter({ topic }: KafkaAddress, { partition, offset, receivedAtMs, value }: LogRecord, reason: string) {
  return {
    key: `${topic}/${partition}/${offset}`,
    value: Buffer.from(value),
    headers: {
      'tollgate-reason': reason.slice(0, REASON_CHARACTERS_MAX),
      'tollgate-topic': topic,
      'tollgate-partition': String(partition),
      'tollgate-offset': String(offset),
      'tollgate-received-at': new Date(receivedAtMs).toISOString(),
    },
  }
}
