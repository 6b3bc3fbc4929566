import type { ConnectionOptions } from 'node:tls'
import type { Logger } from 'pino'
import type { Offset, Partition } from '../../../domain/identity.ts'
import type { LogRange, LogRecord } from '../event-log.ts'

/**
 * What the log needs of a Kafka client: one request and its answer at a time. `wire/` implements it and alone imports a
 * client library. Whatever fails rejects with a `KafkaWireError`.
 */
export type KafkaWire = {
  /** Each cluster has connections of its own: a broker answers the requests of one connection in turn. */
  openCluster(topic: string): Promise<KafkaCluster>
  openTopics(): Promise<KafkaTopics>
  openSender(topic: string): Promise<KafkaSender>
}

/** Without an answer for this long a request has failed. */
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

/** The brokers as those see them who read or write one topic. */
export type KafkaCluster = {
  /** Node that leads the partition, as far as is known; null when a refresh has to find it. */
  leaderOf(partition: Partition): number | null
  /** Connects when there is no connection yet; rejects for a node that is not known. */
  broker(node: number): Promise<KafkaBroker>
  /** Rejects when no leader is known. */
  leaderBroker(partition: Partition): Promise<KafkaBroker>
  coordinator(group: string): Promise<KafkaBroker>
  /** The leader's oldest and next offset. */
  range(partition: Partition): Promise<LogRange>
  /** Asks who leads what, anew. */
  refresh(): Promise<void>
  /** The same, when the last answer is old. */
  refreshIfOld(): Promise<void>
  close(): Promise<void>
}

/** One request each. A request without an answer closes the connection, so that the next one gets another. */
export type KafkaBroker = {
  initProducerId(): Promise<KafkaProducerId>
  /** With `acks=all`. Resolves with an answer for every partition; rejects when the request got none at all. */
  produce(batches: readonly ProducedBatch[], ackMsMax: number): Promise<readonly ProduceAnswer[]>
  /** Records from each position on, by partition. Rejects with the first error of several partitions. */
  fetch(request: FetchRequest): Promise<ReadonlyMap<Partition, readonly LogRecord[]>>
  joinGroup(request: JoinRequest): Promise<JoinedGroup>
  /** The leader of the group tells everyone's share; everyone gets the own one. */
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
  /** For the leader's eyes. */
  readonly claim: Buffer
}

export type JoinedGroup = {
  readonly generation: number
  readonly memberId: string
  readonly isLeader: boolean
  /** Empty for all but the leader. */
  readonly members: readonly { readonly memberId: string; readonly claim: Buffer }[]
}

export type KafkaTopics = {
  /** Null when there is no such topic. */
  partitionsOf(topic: string): Promise<number | null>
  /** False when the topic is there already. */
  create(topic: {
    readonly name: string
    readonly partitions: number
    readonly replication: number
    readonly settings: Readonly<Record<string, string>>
    readonly msMax: number
  }): Promise<boolean>
  close(): Promise<void>
}

/** For the few records that may stand twice: one at a time and not idempotent. Resolves when all in-sync replicas have it. */
export type KafkaSender = {
  send(record: { readonly key: string; readonly value: Buffer; readonly headers: Readonly<Record<string, string>> }): Promise<void>
  close(): Promise<void>
}

/** A request that a broker refused, or that did not get through. */
export class KafkaWireError extends Error {
  override readonly name = 'KafkaWireError'
  /** The broker's answer by its name in the protocol, e.g. 'OFFSET_OUT_OF_RANGE'; null when the connection failed. */
  readonly answer: string | null
  /** True for what passes by itself: an election, a broker that restarts, a connection that broke. */
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
