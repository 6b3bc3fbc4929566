import { AssignerProtocol } from 'kafkajs'

/** The claim that a member sends when it joins, in the envelope of Kafka's consumer protocol, which the brokers' tools can read. */
export function encodeMemberClaim(topic: string, claim: Buffer): Buffer {
  return AssignerProtocol.MemberMetadata.encode({ version: 1, topics: [topic], userData: claim })
}

export function decodeMemberClaim(metadata: Buffer): Buffer {
  return AssignerProtocol.MemberMetadata.decode(metadata)?.userData ?? Buffer.alloc(0)
}

export function encodeMemberShare(topic: string, partitions: readonly number[]): Buffer {
  return AssignerProtocol.MemberAssignment.encode({ version: 1, assignment: { [topic]: [...partitions] }, userData: Buffer.alloc(0) })
}

/** Empty for a member that was given nothing, and for one of another topic. */
export function decodeMemberShare(topic: string, assignment: Buffer): readonly number[] {
  return AssignerProtocol.MemberAssignment.decode(assignment)?.assignment[topic] ?? []
}
