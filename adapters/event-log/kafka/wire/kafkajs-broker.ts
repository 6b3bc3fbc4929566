import type { InstantMs, Offset, Partition } from '../../../../domain/identity.ts'
import type { LogRecord } from '../../event-log.ts'
import { type KafkaBroker, REQUEST_MS_MAX } from '../kafka-wire.ts'
import { decodeMemberClaim, decodeMemberShare, encodeMemberClaim, encodeMemberShare } from './group-protocol.ts'
import { isTimeout, wireError } from './kafkajs-errors.ts'
import type { FetchedPartition, KafkaJsBroker } from './kafkajs-internals.ts'
import { produce } from './kafkajs-produce.ts'

/** One topic's requests to a broker of kafkajs. */
export function asBroker(broker: KafkaJsBroker, topic: string): KafkaBroker {
  async function ask<Answer>(answer: Promise<Answer>): Promise<Answer> {
    try {
      return await answer
    } catch (error) {
      // kafkajs keeps a connection that no longer answers, and would wait on it again and again.
      if (isTimeout(error)) await broker.disconnect()
      throw wireError(error)
    }
  }

  return {
    async initProducerId() {
      const { producerId, producerEpoch } = await ask(broker.initProducerId({ transactionTimeout: REQUEST_MS_MAX }))
      return { producerId: BigInt(producerId), producerEpoch }
    },
    produce: (batches, ackMsMax) => ask(produce(broker, topic, batches, ackMsMax)),
    async fetch({ positions, waitMs, bytesMax, partitionBytesMax }) {
      const { responses } = await ask(
        broker.fetch({
          maxWaitTime: waitMs,
          minBytes: 1,
          maxBytes: bytesMax,
          // Nothing in this log is transactional.
          isolationLevel: 0,
          topics: [
            {
              topic,
              partitions: positions.map(({ partition, from }) => ({
                partition,
                fetchOffset: String(from),
                maxBytes: partitionBytesMax,
              })),
            },
          ],
        }),
      )
      const fetched = new Map(responses.flatMap(({ partitions }) => partitions.map((one) => [one.partition, one] as const)))
      return new Map(positions.map(({ partition, from }) => [partition, recordsFrom(partition, fetched.get(partition), from)]))
    },
    async joinGroup({ group, memberId, sessionMs, rebalanceMs, protocol, claim }) {
      const joined = await ask(
        broker.joinGroup({
          groupId: group,
          memberId,
          sessionTimeout: sessionMs,
          rebalanceTimeout: rebalanceMs,
          groupProtocols: [{ name: protocol, metadata: encodeMemberClaim(topic, claim) }],
        }),
      )
      return {
        generation: joined.generationId,
        memberId: joined.memberId,
        isLeader: joined.leaderId === joined.memberId,
        members: joined.members.map((member) => ({ memberId: member.memberId, claim: decodeMemberClaim(member.memberMetadata) })),
      }
    },
    async syncGroup({ group, generation, memberId }, shares) {
      const { memberAssignment } = await ask(
        broker.syncGroup({
          groupId: group,
          generationId: generation,
          memberId,
          groupAssignment: [...shares].map(([member, partitions]) => ({
            memberId: member,
            memberAssignment: encodeMemberShare(topic, partitions),
          })),
        }),
      )
      return decodeMemberShare(topic, memberAssignment)
    },
    async heartbeat({ group, generation, memberId }) {
      await ask(broker.heartbeat({ groupId: group, groupGenerationId: generation, memberId }))
    },
    async leaveGroup({ group, memberId }) {
      await ask(broker.leaveGroup({ groupId: group, memberId }))
    },
  }
}

/** A broker answers with whole batches, of which the first may begin before the offset asked for. */
function recordsFrom(partition: Partition, fetched: FetchedPartition | undefined, from: Offset): readonly LogRecord[] {
  const records: LogRecord[] = []
  for (const { offset, timestamp, value, isControlRecord } of fetched?.messages ?? []) {
    const at = Number(offset)
    if (at < from || isControlRecord || value === null) continue
    records.push({ partition, offset: at as Offset, receivedAtMs: Number(timestamp) as InstantMs, value })
  }
  return records
}
