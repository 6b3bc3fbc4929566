import { CompressionTypes, type Kafka } from 'kafkajs'
import type { KafkaSender, KafkaTopics, KafkaWire, KafkaWireOptions } from '../kafka-wire.ts'
import { createKafkaJsClient } from './kafkajs-client.ts'
import { openKafkaJsCluster } from './kafkajs-cluster.ts'
import { told, wireError } from './kafkajs-errors.ts'

/** The wire by kafkajs. Its producer and consumer are not used, for the reasons in docs/decisions/0012-kafkajs-wire-only.md. */
export function createKafkaJsWire(options: KafkaWireOptions): KafkaWire {
  const client = createKafkaJsClient(options)
  return {
    openCluster: (topic) => openKafkaJsCluster(client, topic),
    openTopics: () => openTopics(client),
    openSender: (topic) => openSender(client, topic),
  }
}

async function openTopics(client: Kafka): Promise<KafkaTopics> {
  const admin = client.admin()
  const close = () => admin.disconnect().catch(() => undefined)
  try {
    await told(admin.connect())
  } catch (error) {
    await close()
    throw error
  }
  return {
    async brokerCount() {
      return (await told(admin.describeCluster())).brokers.length
    },
    async partitionsOf(topic) {
      try {
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
        return topics.find((found) => found.name === topic)?.partitions.length ?? null
      } catch (error) {
        const told = wireError(error)
        if (told.answer === 'UNKNOWN_TOPIC_OR_PARTITION') return null
        throw told
      }
    },
    create: ({ name, partitions, replication, settings, msMax }) =>
      told(
        admin.createTopics({
          // kafkajs's own wait fails on a broker that has not heard of the topic yet.
          waitForLeaders: false,
          timeout: msMax,
          topics: [
            {
              topic: name,
              numPartitions: partitions,
              replicationFactor: replication,
              configEntries: Object.entries(settings).map(([setting, value]) => ({ name: setting, value })),
            },
          ],
        }),
      ),
    close,
  }
}

async function openSender(client: Kafka, topic: string): Promise<KafkaSender> {
  const producer = client.producer({ allowAutoTopicCreation: false })
  await told(producer.connect())
  return {
    async send(record) {
      await told(producer.send({ topic, acks: ACKS_ALL, compression: CompressionTypes.GZIP, messages: [record] }))
    },
    close: () => told(producer.disconnect()),
  }
}

const ACKS_ALL = -1
