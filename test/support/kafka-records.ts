import { Kafka, logLevel } from 'kafkajs'
import { vi } from 'vitest'
import type { SetAsideRecord } from '../contracts/event-log.ts'

export type KafkaTestRecord = { readonly key: string; readonly value: Buffer; readonly headers: Readonly<Record<string, string>> }

/** All records of a topic, read by kafkajs's own consumer. Nothing may be written to the topic meanwhile. */
export async function readKafkaRecords(brokers: string, topic: string): Promise<readonly KafkaTestRecord[]> {
  const client = openClient(brokers)
  const admin = client.admin()
  await admin.connect()
  const ends = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  const count = ends.reduce((sum, { high }) => sum + Number(high), 0)
  const found: KafkaTestRecord[] = []
  const consumer = client.consumer({ groupId: `read-${topic}-${count}` })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    async eachMessage({ message: { key, value, headers = {} } }) {
      const texts = Object.entries(headers).map(([name, header]) => [name, String(header)])
      found.push({ key: String(key), value: value ?? Buffer.alloc(0), headers: Object.fromEntries(texts) })
    },
  })
  await vi.waitFor(() => {
    if (found.length < count) throw new Error(`${found.length} of ${count} records of ${topic}`)
  }, WAIT)
  await consumer.disconnect()
  return found
}

/** The records set aside, in the form that the contract of the event log expects. */
export async function readDeadLetters(brokers: string, topic: string): Promise<readonly SetAsideRecord[]> {
  return (await readKafkaRecords(brokers, topic)).map(({ value, headers }) => ({
    partition: Number(headers['tollgate-partition']),
    offset: Number(headers['tollgate-offset']),
    reason: headers['tollgate-reason'] ?? '',
    value: [...value],
  }))
}

/** Writes one record to each partition, bypassing all code of this project. */
export async function produceToEachPartition(brokers: string, topic: string, partitions: number, value: Buffer): Promise<void> {
  const producer = openClient(brokers).producer({ allowAutoTopicCreation: false })
  await producer.connect()
  await producer.send({ topic, messages: Array.from({ length: partitions }, (_, partition) => ({ partition, value })) })
  await producer.disconnect()
}

const WAIT = { timeout: 60_000, interval: 20 }

function openClient(brokers: string): Kafka {
  return new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING })
}
