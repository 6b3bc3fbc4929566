import type { Partition } from '../../../../domain/identity.ts'
import type { LogRecord } from '../../event-log.ts'
import type { FetchRequest } from '../kafka-wire.ts'
import { errorOfCode } from './kafkajs-errors.ts'
import { asEncoder, type KafkaJsBroker } from './kafkajs-internals.ts'
import { decodeRecordBatches } from './record-batch-decoding.ts'

/**
 * One Fetch request (version 10, Kafka 2.1 and later). kafkajs's own copies every record several times while it decodes, and does
 * not check checksums.
 */
export function fetch(broker: KafkaJsBroker, topic: string, request: FetchRequest): Promise<ReadonlyMap<Partition, readonly LogRecord[]>> {
  return broker.connectionPool.send({
    request: {
      apiKey: FETCH,
      apiVersion: 10,
      apiName: 'Fetch',
      expectResponse: () => true,
      encode: async () => asEncoder(encodeRequest(topic, request)),
    },
    response: {
      decode: async (payload: Buffer) => decodeResponse(payload, request),
      parse: async (records: ReadonlyMap<Partition, readonly LogRecord[]>) => records,
    },
  })
}

function encodeRequest(topic: string, { positions, waitMs, bytesMax, partitionBytesMax }: FetchRequest): Buffer {
  const name = Buffer.from(topic)
  const request = Buffer.allocUnsafe(REQUEST_BYTES + name.length + positions.length * POSITION_BYTES)
  let at = request.writeInt32BE(NO_REPLICA, 0)
  at = request.writeInt32BE(waitMs, at)
  at = request.writeInt32BE(BYTES_MIN, at)
  at = request.writeInt32BE(bytesMax, at)
  // Nothing in this log is transactional.
  at = request.writeInt8(READ_UNCOMMITTED, at)
  at = request.writeInt32BE(NO_SESSION, at)
  at = request.writeInt32BE(NO_SESSION_EPOCH, at)
  at = request.writeInt32BE(1, at)
  at = request.writeInt16BE(name.length, at)
  at += name.copy(request, at)
  at = request.writeInt32BE(positions.length, at)
  for (const { partition, from } of positions) {
    at = request.writeInt32BE(partition, at)
    at = request.writeInt32BE(NO_LEADER_EPOCH, at)
    at = request.writeBigInt64BE(BigInt(from), at)
    at = request.writeBigInt64BE(NO_LOG_START, at)
    at = request.writeInt32BE(partitionBytesMax, at)
  }
  request.writeInt32BE(NOTHING_FORGOTTEN, at)
  return request
}

/**
 * throttle_time error_code session_id [topic [partition error_code high_watermark last_stable_offset log_start_offset [aborted
 * transactions] record batches]]; we asked for one topic.
 */
function decodeResponse(payload: Buffer, { positions }: FetchRequest): ReadonlyMap<Partition, readonly LogRecord[]> {
  const fromOf = new Map(positions.map(({ partition, from }) => [partition, from]))
  const fetched = new Map<Partition, readonly LogRecord[]>()
  throwIfRefused(payload.readInt16BE(4))
  const topics = payload.readInt32BE(10)
  let at = 14
  for (let topic = 0; topic < topics; topic++) {
    at += 2 + payload.readInt16BE(at)
    const partitions = payload.readInt32BE(at)
    at += 4
    for (let index = 0; index < partitions; index++) {
      const partition = payload.readInt32BE(at) as Partition
      throwIfRefused(payload.readInt16BE(at + 4))
      const aborted = payload.readInt32BE(at + 30)
      at += PARTITION_HEAD_BYTES + Math.max(0, aborted) * ABORTED_BYTES
      const bytes = Math.max(0, payload.readInt32BE(at))
      at += 4
      const from = fromOf.get(partition)
      const records = from === undefined ? [] : decodeRecordBatches(payload.subarray(at, at + bytes), partition, from)
      if (records === null) throw errorOfCode(CORRUPT_MESSAGE)
      fetched.set(partition, records)
      at += bytes
    }
  }
  return fetched
}

function throwIfRefused(errorCode: number): void {
  if (errorCode !== 0) throw errorOfCode(errorCode)
}

const FETCH = 1
const BYTES_MIN = 1
const NO_REPLICA = -1
const READ_UNCOMMITTED = 0
const NO_SESSION = 0
const NO_SESSION_EPOCH = -1
const NO_LEADER_EPOCH = -1
const NO_LOG_START = -1n
const NOTHING_FORGOTTEN = 0
const CORRUPT_MESSAGE = 2
/** Bytes of a request without the topic's name and the positions. */
const REQUEST_BYTES = 4 * 4 + 1 + 2 * 4 + 4 + 2 + 4 + 4
const POSITION_BYTES = 4 + 4 + 8 + 8 + 4
/** Bytes up to and including the count of aborted transactions. */
const PARTITION_HEAD_BYTES = 4 + 2 + 8 + 8 + 8 + 4
const ABORTED_BYTES = 8 + 8
