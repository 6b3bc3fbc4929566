import avro from 'avsc'
import { Fault } from '../../base/fault.ts'
import { schemaFingerprint } from './schema-fingerprint.ts'

export type SingleObjectCodec<Value> = {
  encode(value: Value): Uint8Array
  /** Reads the bytes of any known schema into the current one's shape. Throws the Fault `record_undecodable`. */
  decode(bytes: Uint8Array): Value
}

/**
 * Avro single-object encoding: C3 01, the writer's fingerprint in little-endian order, the body. Schemas are parsed JSON;
 * `current` is written and is the shape of what is read, `former` wrote records that are still in a log.
 */
export function createSingleObjectCodec<Value>(schemas: {
  readonly current: avro.Schema
  readonly former?: readonly avro.Schema[]
}): SingleObjectCodec<Value> {
  const current = typeOf(schemas.current)
  const header = headerOf(current)
  const writers = new Map<bigint, { readonly type: avro.Type; readonly resolver: Resolver }>()
  for (const schema of schemas.former ?? []) {
    const type = typeOf(schema)
    writers.set(schemaFingerprint(type), { type, resolver: current.createResolver(type) })
  }
  // Shared by all calls: encoding is synchronous and its result is copied out. It grows to the largest record seen.
  let scratch = Buffer.allocUnsafeSlow(64 * 1024)

  return {
    encode(value) {
      let end = current.encode(value, scratch, HEADER_BYTES)
      if (end < 0) {
        scratch = Buffer.allocUnsafeSlow(scratch.length - end)
        end = current.encode(value, scratch, HEADER_BYTES)
      }
      scratch.set(header, 0)
      return new Uint8Array(scratch.subarray(0, end))
    },
    decode(bytes) {
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      if (buffer.length < HEADER_BYTES || buffer[0] !== MARKER[0] || buffer[1] !== MARKER[1]) {
        throw undecodable(`its ${buffer.length} bytes do not begin with the marker of a single object and a fingerprint`)
      }
      const body = buffer.subarray(HEADER_BYTES)
      if (buffer.compare(header, 0, HEADER_BYTES, 0, HEADER_BYTES) === 0) return read(() => current.fromBuffer(body))
      const fingerprint = buffer.readBigUInt64LE(MARKER.length)
      const writer = writers.get(fingerprint)
      if (writer === undefined) {
        throw undecodable(`it was written with schema ${fingerprint.toString(16).padStart(16, '0')}, which this version does not know`)
      }
      return read(() => current.fromBuffer(body, writer.resolver))
    },
  }
}

type Resolver = ReturnType<avro.Type['createResolver']>

const MARKER = [0xc3, 0x01] as const
const HEADER_BYTES = MARKER.length + 8

/**
 * avsc notices that it ran past the end only when it is done, so a damaged item count would make it create items until memory is
 * full. A string of this type in every array item stops it at the first missing item.
 */
class NeverPastTheEndType extends avro.types.LogicalType {
  protected override _fromValue(value: unknown): unknown {
    if (value === undefined) throw new Error('truncated buffer')
    return value
  }
  protected override _toValue(value: unknown): unknown {
    return value
  }
  protected override _resolve(type: avro.Type): unknown {
    return type.typeName === 'string' || type.typeName === 'logical:never-past-the-end' ? this._fromValue : undefined
  }
}

function typeOf(schema: avro.Schema): avro.Type {
  return avro.Type.forSchema(schema, { logicalTypes: { 'never-past-the-end': NeverPastTheEndType }, omitRecordMethods: true })
}

function headerOf(type: avro.Type): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.set(MARKER, 0)
  header.writeBigUInt64LE(schemaFingerprint(type), MARKER.length)
  return header
}

function read<Value>(fromBody: () => Value): Value {
  try {
    return fromBody()
  } catch (cause) {
    throw undecodable(`its body does not fit its schema: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
}

function undecodable(why: string, cause?: unknown): Fault {
  return new Fault('record_undecodable', `A record of the event log could not be decoded: ${why}.`, {
    canRetry: false,
    publicText: 'A stored record could not be read.',
    cause,
  })
}
