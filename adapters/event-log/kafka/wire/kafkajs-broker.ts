import { type KafkaBroker, REQUEST_MS_MAX } from '../kafka-wire.ts'
import { decodeMemberClaim, decodeMemberShare, encodeMemberClaim, encodeMemberShare } from './group-protocol.ts'
import { isConnectionLost, wireError } from './kafkajs-errors.ts'
import { fetch } from './kafkajs-fetch.ts'
import type { KafkaJsBroker } from './kafkajs-internals.ts'
import { produce } from './kafkajs-produce.ts'

/** Requests about one topic through a kafkajs broker. */
export function asBroker(broker: KafkaJsBroker, topic: string): KafkaBroker {
  async function ask<Answer>(answer: Promise<Answer>): Promise<Answer> {
    try {
      return await answer
    } catch (error) {
      if (isConnectionLost(error)) await broker.disconnect()
      throw wireError(error)
    }
  }

  return {
    async initProducerId() {
      const { producerId, producerEpoch } = await ask(broker.initProducerId({ transactionTimeout: REQUEST_MS_MAX }))
      return { producerId: BigInt(producerId), producerEpoch }
    },
    produce: (batches, ackMsMax) => ask(produce(broker, topic, batches, ackMsMax)),
    fetch: (request) => ask(fetch(broker, topic, request)),
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
