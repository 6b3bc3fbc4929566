import type { Cluster } from 'kafkajs'

/** Methods of kafkajs's cluster that its own types do not declare. */
export type KafkaJsCluster = Pick<
  Cluster,
  'addTargetTopic' | 'connect' | 'disconnect' | 'fetchTopicsOffset' | 'findTopicPartitionMetadata' | 'refreshMetadata'
> & {
  refreshMetadataIfNecessary(): Promise<void>
  findBroker(node: { readonly nodeId: number }): Promise<KafkaJsBroker>
  findGroupCoordinator(group: { readonly groupId: string }): Promise<KafkaJsBroker>
}

/** One protocol request per method. A response with an error code rejects. */
export type KafkaJsBroker = {
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

/** Methods that kafkajs calls on an encoded request. */
export function asEncoder(buffer: Buffer): { readonly buf: Buffer; readonly buffer: Buffer } {
  return { buf: buffer, buffer }
}
