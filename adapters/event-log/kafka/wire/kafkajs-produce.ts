import type { ProduceAnswer, ProducedBatch } from '../kafka-wire.ts'
import { errorOfCode } from './kafkajs-errors.ts'
import { asEncoder, type KafkaJsBroker } from './kafkajs-internals.ts'

/**
 * One Produce request (version 7, Kafka 2.1 and later) with `acks=all`, and the answer for every partition. kafkajs's own reports
 * only the first error of a failed request, without its partition, and nothing about the partitions that succeeded.
 */
export async function produce(
  broker: KafkaJsBroker,
  topic: string,
  partitions: readonly ProducedBatch[],
  ackMsMax: number,
): Promise<readonly ProduceAnswer[]> {
  return await broker.connectionPool.send({
    request: {
      apiKey: PRODUCE,
      apiVersion: 7,
      apiName: 'Produce',
      expectResponse: () => true,
      encode: async () => asEncoder(encodeRequest(topic, partitions, ackMsMax)),
    },
    response: { decode: async (payload: Buffer) => decodeResponse(payload), parse: async (answers: readonly ProduceAnswer[]) => answers },
  })
}

function encodeRequest(topic: string, partitions: readonly ProducedBatch[], ackMsMax: number): Buffer {
  const name = Buffer.from(topic)
  const head = Buffer.allocUnsafe(2 + 2 + 4 + 4 + 2 + name.length + 4)
  let at = head.writeInt16BE(NOT_TRANSACTIONAL, 0)
  at = head.writeInt16BE(ACKS_ALL, at)
  at = head.writeInt32BE(ackMsMax, at)
  at = head.writeInt32BE(1, at)
  at = head.writeInt16BE(name.length, at)
  at += name.copy(head, at)
  head.writeInt32BE(partitions.length, at)
  const parts = partitions.flatMap(({ partition, recordBatch }) => {
    const place = Buffer.allocUnsafe(8)
    place.writeInt32BE(partition, 0)
    place.writeInt32BE(recordBatch.length, 4)
    return [place, recordBatch]
  })
  return Buffer.concat([head, ...parts])
}

/** [topic [partition error_code base_offset log_append_time log_start_offset]] throttle_time; we asked for one topic. */
function decodeResponse(payload: Buffer): readonly ProduceAnswer[] {
  let at = 4
  at += 2 + payload.readInt16BE(at)
  const count = payload.readInt32BE(at)
  at += 4
  return Array.from({ length: count }, (): ProduceAnswer => {
    const partition = payload.readInt32BE(at)
    const errorCode = payload.readInt16BE(at + 4)
    const baseOffset = Number(payload.readBigInt64BE(at + 6))
    at += PARTITION_ANSWER_BYTES
    if (errorCode === 0) return { partition, baseOffset, error: null }
    return { partition, baseOffset: null, error: errorOfCode(errorCode) }
  })
}

const PRODUCE = 0
const ACKS_ALL = -1
const NOT_TRANSACTIONAL = -1
const PARTITION_ANSWER_BYTES = 4 + 2 + 8 + 8 + 8
