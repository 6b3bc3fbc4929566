import type { ConnectionOptions } from 'node:tls'
import type { Logger } from 'pino'
import type { Offset, Partition } from '../../../domain/identity.ts'
import type { LogRange, LogRecord } from '../event-log.ts'

/**
 * The Kafka client that the log needs: one request and its answer at a time. `wire/` implements it and alone imports a client
 * library. Every failure rejects with a `KafkaWireError`.
 */
export type KafkaWire = {
  /** Each cluster has its own connections: a broker answers the requests of one connection in turn. */
  openCluster(topic: string): Promise<KafkaCluster>
  openTopics(): Promise<KafkaTopics>
  openSender(topic: string): Promise<KafkaSender>
}

/** A request without an answer for this long has failed. */
export const REQUEST_MS_MAX = 15_000

export type KafkaWireOptions = {
  /** host:port of brokers to start from; they name the others. */
  readonly brokers: readonly string[]
  readonly clientId: string
  /** True for TLS with the system's authorities, or its settings. */
  readonly ssl?: boolean | ConnectionOptions
  readonly sasl?: KafkaLogin
  readonly log: Logger
}

export type KafkaLogin = {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: string
}

/** The brokers, as seen by readers and writers of one topic. */
export type KafkaCluster = {
  /** Node that leads the partition, when known; null when only a refresh can find it. */
  leaderOf(partition: Partition): number | null
  /** Connects when there is no connection yet; rejects for an unknown node. */
  broker(node: number): Promise<KafkaBroker>
  /** Rejects when no leader is known. */
  leaderBroker(partition: Partition): Promise<KafkaBroker>
  coordinator(group: string): Promise<KafkaBroker>
  /** The leader's oldest and next offset. */
  range(partition: Partition): Promise<LogRange>
  /** Asks again which node leads which partition. */
  refresh(): Promise<void>
  /** Refreshes when the last answer is old. */
  refreshIfOld(): Promise<void>
  close(): Promise<void>
}

/** One request per call. A request without an answer closes the connection, so that the next one gets another. */
export type KafkaBroker = {
  initProducerId(): Promise<KafkaProducerId>
  /** With `acks=all`. Resolves with an answer for every partition; rejects when the request got none at all. */
  produce(batches: readonly ProducedBatch[], ackMsMax: number): Promise<readonly ProduceAnswer[]>
  /** Records from each position on, by partition. Rejects with the first error when partitions fail. */
  fetch(request: FetchRequest): Promise<ReadonlyMap<Partition, readonly LogRecord[]>>
  joinGroup(request: JoinRequest): Promise<JoinedGroup>
  /** The leader of the group sends every member's share; each member gets its own. */
  syncGroup(membership: GroupMembership, shares: ReadonlyMap<string, readonly number[]>): Promise<readonly number[]>
  heartbeat(membership: GroupMembership): Promise<void>
  leaveGroup(membership: GroupMembership): Promise<void>
}

export type KafkaProducerId = { readonly producerId: bigint; readonly producerEpoch: number }

export type ProducedBatch = { readonly partition: Partition; readonly recordBatch: Buffer }

export type ProduceAnswer =
  | { readonly partition: number; readonly baseOffset: number; readonly error: null }
  | { readonly partition: number; readonly baseOffset: null; readonly error: KafkaWireError }

export type FetchRequest = {
  readonly positions: readonly { readonly partition: Partition; readonly from: Offset }[]
  /** How long the broker may wait for a first record. */
  readonly waitMs: number
  readonly bytesMax: number
  readonly partitionBytesMax: number
}

export type GroupMembership = { readonly group: string; readonly generation: number; readonly memberId: string }

export type JoinRequest = {
  readonly group: string
  /** Empty for a new member. */
  readonly memberId: string
  readonly sessionMs: number
  readonly rebalanceMs: number
  /** Members with another protocol cannot join the group. */
  readonly protocol: string
  /** Read by the leader of the group. */
  readonly claim: Buffer
}

export type JoinedGroup = {
  readonly generation: number
  readonly memberId: string
  readonly isLeader: boolean
  /** Empty for every member but the leader. */
  readonly members: readonly { readonly memberId: string; readonly claim: Buffer }[]
}

export type KafkaTopics = {
  /** The brokers that are up. */
  brokerCount(): Promise<number>
  /** Null when there is no such topic. */
  partitionsOf(topic: string): Promise<number | null>
  /** False when the topic exists already. */
  create(topic: {
    readonly name: string
    readonly partitions: number
    readonly replication: number
    readonly settings: Readonly<Record<string, string>>
    readonly msMax: number
  }): Promise<boolean>
  close(): Promise<void>
}

/** A sender for the few records that may stand twice: one at a time and not idempotent. Resolves when all in-sync replicas have the record. */
export type KafkaSender = {
  send(record: { readonly key: string; readonly value: Buffer; readonly headers: Readonly<Record<string, string>> }): Promise<void>
  close(): Promise<void>
}

/** A request that a broker refused, or that did not get through. */
export class KafkaWireError extends Error {
  override readonly name = 'KafkaWireError'
  /** The name of the broker's error in the protocol, e.g. 'OFFSET_OUT_OF_RANGE'; null when the connection failed. */
  readonly answer: string | null
  /** True for temporary errors: an election, a broker that restarts, a connection that broke. */
  readonly canRetry: boolean

  constructor(
    message: string,
    { answer, canRetry, cause }: { readonly answer: string | null; readonly canRetry: boolean; readonly cause?: unknown },
  ) {
    super(message, { cause })
    this.answer = answer
    this.canRetry = canRetry
  }
}
