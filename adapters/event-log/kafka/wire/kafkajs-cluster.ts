import type { Cluster, Kafka } from 'kafkajs'
import { invariant } from '../../../../base/invariant.ts'
import type { Offset, Partition } from '../../../../domain/identity.ts'
import { type KafkaCluster, KafkaWireError } from '../kafka-wire.ts'
import { asBroker } from './kafkajs-broker.ts'
import { told, wireError } from './kafkajs-errors.ts'
import type { KafkaJsCluster } from './kafkajs-internals.ts'

/** Connections and metadata for one topic; rejects when no broker can be reached or the topic is not there. */
export async function openKafkaJsCluster(client: Kafka, topic: string): Promise<KafkaCluster> {
  const cluster = takeCluster(client, topic)
  try {
    await cluster.connect()
    await cluster.addTargetTopic(topic)
  } catch (error) {
    await cluster.disconnect()
    throw wireError(error)
  }

  function leaderOf(partition: Partition): number | null {
    try {
      const leader = cluster.findTopicPartitionMetadata(topic).find((known) => known.partitionId === partition)?.leader
      return leader === undefined || leader < 0 ? null : leader
    } catch {
      // There is no metadata at the moment: a refresh that failed has thrown it away.
      return null
    }
  }

  async function broker(node: number) {
    return asBroker(await told(cluster.findBroker({ nodeId: node })), topic)
  }

  async function edge(partition: Partition, fromBeginning: boolean): Promise<Offset> {
    const offsets = await told(cluster.fetchTopicsOffset([{ topic, partitions: [{ partition }], fromBeginning }]))
    const found = offsets[0]?.partitions[0]?.offset
    if (found === undefined) throw passing(`partition ${partition} of topic ${topic} is unknown`)
    return Number(found) as Offset
  }

  return {
    leaderOf,
    broker,
    leaderBroker(partition) {
      const leader = leaderOf(partition)
      return leader === null ? Promise.reject(passing(`partition ${partition} of topic ${topic} has no leader`)) : broker(leader)
    },
    coordinator: async (group) => asBroker(await told(cluster.findGroupCoordinator({ groupId: group })), topic),
    range: async (partition) => ({ start: await edge(partition, true), next: await edge(partition, false) }),
    refresh: () => told(cluster.refreshMetadata()),
    refreshIfOld: () => told(cluster.refreshMetadataIfNecessary()),
    close: () => cluster.disconnect(),
  }
}

/**
 * kafkajs hands its cluster to a partition assigner, which is the one public way to get hold of it; the consumer made for this is
 * never connected.
 */
function takeCluster(client: Kafka, topic: string): KafkaJsCluster {
  let found: Cluster | undefined
  client.consumer({
    groupId: topic,
    metadataMaxAge: METADATA_AGE_MS_MAX,
    allowAutoTopicCreation: false,
    partitionAssigners: [
      ({ cluster }) => {
        found = cluster
        return { name: 'none', version: 1, assign: async () => [], protocol: () => ({ name: 'none', metadata: Buffer.alloc(0) }) }
      },
    ],
  })
  invariant(found !== undefined, 'kafkajs hands its cluster to an assigner')
  return found as unknown as KafkaJsCluster
}

function passing(message: string): KafkaWireError {
  return new KafkaWireError(message, { answer: null, canRetry: true })
}

/** A broker that no longer leads a partition still answers consumers with the records it has, so no error says that another broker has more. */
const METADATA_AGE_MS_MAX = 10_000
