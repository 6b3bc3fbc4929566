import { createRequire } from 'node:module'
import { connect as connectPlain, isIP } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { type Cluster, Kafka, logLevel, type SASLOptions } from 'kafkajs'
import type { Logger } from 'pino'

export type KafkaConnectionOptions = {
  readonly brokers: readonly string[]
  readonly clientId: string
  /** True for TLS with the system's authorities, or its settings. */
  readonly ssl?: boolean | ConnectionOptions
  readonly sasl?: SASLOptions
  readonly log: Logger
}

/**
 * What we use of kafkajs: its connections, its metadata and its codec of the wire protocol. Its producer and consumer
 * are not used, for the reasons in docs/decisions/0012-kafkajs-wire-only.md.
 */
export type KafkaCluster = Pick<
  Cluster,
  'addTargetTopic' | 'connect' | 'disconnect' | 'fetchTopicsOffset' | 'findTopicPartitionMetadata' | 'refreshMetadata'
> & {
  refreshMetadataIfNecessary(): Promise<void>
  findBroker(node: { readonly nodeId: number }): Promise<KafkaBroker>
  findGroupCoordinator(group: { readonly groupId: string }): Promise<KafkaBroker>
}

/** One request of the protocol each. A response with an error code rejects; of several partitions only the first error is told. */
export type KafkaBroker = {
  disconnect(): Promise<void>
  readonly connectionPool: {
    send<Answer>(call: {
      readonly request: {
        readonly apiKey: number
        readonly apiVersion: number
        readonly apiName: string
        expectResponse(): boolean
        encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>
      }
      readonly response: { decode(payload: Buffer): Promise<Answer>; parse(answer: Answer): Promise<Answer> }
    }): Promise<Answer>
  }
  initProducerId(request: { readonly transactionTimeout: number }): Promise<{ readonly producerId: string; readonly producerEpoch: number }>
  fetch(request: {
    readonly maxWaitTime: number
    readonly minBytes: number
    readonly maxBytes: number
    readonly isolationLevel: 0
    readonly topics: readonly {
      readonly topic: string
      readonly partitions: readonly { readonly partition: number; readonly fetchOffset: string; readonly maxBytes: number }[]
    }[]
  }): Promise<{ readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[] }>
  joinGroup(request: {
    readonly groupId: string
    readonly memberId: string
    readonly sessionTimeout: number
    readonly rebalanceTimeout: number
    readonly groupProtocols: readonly { readonly name: string; readonly metadata: Buffer }[]
  }): Promise<{
    readonly generationId: number
    readonly memberId: string
    readonly leaderId: string
    readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[]
  }>
  syncGroup(request: {
    readonly groupId: string
    readonly generationId: number
    readonly memberId: string
    readonly groupAssignment: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[]
  }): Promise<{ readonly memberAssignment: Buffer }>
  heartbeat(request: { readonly groupId: string; readonly groupGenerationId: number; readonly memberId: string }): Promise<unknown>
  leaveGroup(request: { readonly groupId: string; readonly memberId: string }): Promise<unknown>
}

export type FetchedPartition = {
  readonly partition: number
  readonly messages: readonly {
    readonly offset: string
    readonly timestamp: string
    readonly value: Buffer | null
    readonly isControlRecord: boolean
  }[]
}

export function createKafkaClient(options: KafkaConnectionOptions): Kafka {
  stopIdleTimers()
  return new Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId,
    connectionTimeout: CONNECT_MS_MAX,
    authenticationTimeout: CONNECT_MS_MAX,
    requestTimeout: REQUEST_MS_MAX,
    ...(options.ssl === undefined ? {} : { ssl: options.ssl }),
    // A copy: kafkajs writes its own fields into the object, the password's bearer among them.
    ...(options.sasl === undefined ? {} : { sasl: { ...options.sasl } }),
    // Every field is given: with NODE_ENV=test kafkajs takes other defaults, and tests would run what production does not.
    // Few and short, because our own loops retry, with a bound that they know.
    retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1_000, factor: 0.2, multiplier: 2 },
    logLevel: logLevel.WARN,
    // kafkajs reports what it is about to retry as errors; what we cannot mend is a Fault and is logged as such.
    logCreator:
      () =>
      ({ namespace, log }) =>
        options.log.debug({ namespace, error: log.error }, `kafkajs: ${log.message}`),
    // As kafkajs's own, but without Nagle's algorithm: the last segment of a request would wait for an acknowledgement.
    socketFactory: ({ host, port, ssl, onConnect }) => {
      const servername = isIP(host) === 0 ? { servername: host } : {}
      const socket = ssl ? connectTls({ host, port, ...servername, ...ssl }, onConnect) : connectPlain({ host, port }, onConnect)
      socket.setKeepAlive(true, KEEP_ALIVE_MS)
      socket.setNoDelay(true)
      // While a broker is away kafkajs closes the same socket again and again, which adds a listener each time.
      socket.setMaxListeners(0)
      return socket
    },
  })
}

/**
 * Connections and metadata of their own. kafkajs hands its cluster to an assigner of partitions, which is the one public
 * way to get hold of it; the consumer it was made for is never connected.
 */
export function openKafkaCluster(client: Kafka, topic: string): KafkaCluster {
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
  if (found === undefined) throw new Error('invariant broken: kafkajs hands its cluster to an assigner')
  return found as unknown as KafkaCluster
}

/** Node that leads the partition; throws an error that a refresh of the metadata may mend. */
export function leaderOf(cluster: KafkaCluster, topic: string, partition: number): number {
  const leader = cluster.findTopicPartitionMetadata(topic).find((known) => known.partitionId === partition)?.leader
  if (leader === undefined || leader < 0) throw new Error(`partition ${partition} of topic ${topic} has no leader`)
  return leader
}

/** True when the broker took the request, as far as we know, and did not answer. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'KafkaJSRequestTimeoutError'
}

/**
 * kafkajs 2.2.4 sets a timer of a negative time after every response, which costs a timer each and on Node 24 warns
 * (TimeoutNegativeWarning). Nothing waits for that timer unless a request is held back.
 */
function stopIdleTimers(): void {
  const queue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as {
    readonly prototype: { pending: readonly unknown[]; scheduleCheckPendingRequests: () => void }
  }
  const { prototype } = queue
  if (patched.has(prototype)) return
  patched.add(prototype)
  const schedule = prototype.scheduleCheckPendingRequests
  prototype.scheduleCheckPendingRequests = function (this: { readonly pending: readonly unknown[] }) {
    if (this.pending.length > 0) schedule.call(this)
  }
}

const patched = new WeakSet<object>()
const CONNECT_MS_MAX = 5_000
export const REQUEST_MS_MAX = 15_000
const KEEP_ALIVE_MS = 60_000
/**
 * A broker that no longer leads a partition answers a consumer all the same, with what it has, so that no error says that
 * another one has more.
 */
const METADATA_AGE_MS_MAX = 10_000
