import { once } from 'node:events'
import type { IncomingHttpHeaders } from 'node:http'
import type { Readable, Transform } from 'node:stream'
import zlib from 'node:zlib'
import { createGrowingBytes } from '../base/bounds/growing-bytes.ts'
import { type Outcome, RefusalError, refuse } from '../domain/refusal.ts'
import { binaryAttributesOf } from './core/binary-mode.ts'
import { decoderMemory, ZSTD_WINDOW_LOG_MAX } from './core/decoder-memory.ts'

export type BodyShape = 'object' | 'array' | 'object_or_array' | 'lines'
export type BodyCoding = 'identity' | 'gzip' | 'br' | 'zstd'
/** Bounds on a packed body as it comes over the wire, and on any body once unpacked. */
export type BodyLimits = { readonly packedBytesMax: number; readonly unpackedBytesMax: number }

export type BodyKind = {
  readonly shape: BodyShape
  readonly coding: BodyCoding
  /** Attributes of the one event whose data the body is, as in the binary mode of CloudEvents; null when the body is events. */
  readonly attributes: Readonly<Record<string, unknown>> | null
}

/** The kind of body that the headers declare. */
export function bodyKindOf(headers: IncomingHttpHeaders): Outcome<BodyKind> {
  const [type = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';')
  const mediaType = type.trim()
  const isData = mediaType === '' || mediaType === 'application/json' || (mediaType.endsWith('+json') && !SHAPES.has(mediaType))
  const attributes = isData ? binaryAttributesOf(headers) : null
  const shape = attributes === null ? SHAPES.get(mediaType) : 'object_or_array'
  const charset = parameters
    .map((parameter) => /^\s*charset\s*=\s*"?([^"\s]+)"?\s*$/.exec(parameter)?.[1])
    .find((name) => name !== undefined)
  if (shape === undefined || (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8')) {
    const has = headers['content-type']?.slice(0, 80) ?? null
    return refuse('unsupported_media_type', { has, takes: [...SHAPES.keys()] })
  }
  const named = (headers['content-encoding'] ?? 'identity').trim().toLowerCase()
  const coding = CODINGS.get(named)
  if (coding === undefined) return refuse('unsupported_content_encoding', { coding: named.slice(0, 80) })
  return { shape, coding, attributes }
}

/**
 * The body's bytes, unpacked, in chunks of at most 64 KiB. Throws a RefusalError as soon as a limit is passed, not when all is
 * read. `makeRoom` waits until there is room for a decoder of that size, and throws when there is none.
 */
export function unpackedBody(
  body: Readable,
  headers: IncomingHttpHeaders,
  coding: BodyCoding,
  limits: BodyLimits,
  makeRoom: (decoderBytes: number) => Promise<GiveRoomUp>,
): AsyncGenerator<Buffer> {
  const declaredBytes = Number(headers['content-length'] ?? 0)
  if (coding === 'identity') return wireChunks(body, declaredBytes, limits.unpackedBytesMax)
  return unpackedChunks(unpack(wireChunks(body, declaredBytes, limits.packedBytesMax), coding, makeRoom), limits.unpackedBytesMax)
}

/** RFC 8259, section 8.1, allows a reader to skip a byte order mark at the beginning, which some writers of files put there. */
export async function* withoutByteOrderMark(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let head: Buffer | null = Buffer.alloc(0)
  for await (const chunk of chunks) {
    if (head === null) {
      yield chunk
      continue
    }
    const start: Buffer = head.length === 0 ? chunk : Buffer.concat([head, chunk])
    if (start.length < BYTE_ORDER_MARK.length && BYTE_ORDER_MARK.subarray(0, start.length).equals(start)) {
      head = start
      continue
    }
    head = null
    yield start.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK) ? start.subarray(BYTE_ORDER_MARK.length) : start
  }
  if (head !== null && head.length > 0) yield head
}

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])

export type GiveRoomUp = () => void

// Maps, as the caller names the key and every object has a `constructor`.
const SHAPES: ReadonlyMap<string, BodyShape> = new Map([
  ['application/json', 'object_or_array'],
  ['application/cloudevents+json', 'object'],
  ['application/cloudevents-batch+json', 'array'],
  ['application/x-ndjson', 'lines'],
])
const CODINGS: ReadonlyMap<string, BodyCoding> = new Map([
  ['identity', 'identity'],
  ['', 'identity'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['br', 'br'],
  ['zstd', 'zstd'],
])

const CHUNK_BYTES_MAX = 64 * 1024
/** A decoder is opened when this much of a packed body has come, or all of it, so that it never waits for a sender that sends almost nothing. */
const DECODER_HEAD_BYTES = 64 * 1024

/** Leaves the request open when we stop in the middle, as destroying it would cut the connection before our answer. */
async function* wireChunks(body: Readable, declaredBytes: number, bytesMax: number): AsyncGenerator<Buffer> {
  if (declaredBytes > bytesMax) throw new RefusalError(refuse('payload_too_large', { bytes: declaredBytes, bytesMax }))
  let bytes = 0
  try {
    for await (const chunk of body.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length
      if (bytes > bytesMax) throw new RefusalError(refuse('payload_too_large', { bytes: 'more', bytesMax }))
      for (let at = 0; at < (chunk as Buffer).length; at += CHUNK_BYTES_MAX) yield (chunk as Buffer).subarray(at, at + CHUNK_BYTES_MAX)
    }
  } catch (cause) {
    if (cause instanceof RefusalError) throw cause
    throw new RefusalError(refuse('body_cut_short', { why: textOf(cause) }))
  }
}

async function* unpackedChunks(chunks: AsyncIterable<Buffer>, bytesMax: number): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new RefusalError(refuse('payload_too_large', { bytes: 'more_once_unpacked', bytesMax }))
    yield chunk
  }
}

async function* unpack(
  packed: AsyncIterable<Buffer>,
  coding: PackedCoding,
  makeRoom: (decoderBytes: number) => Promise<GiveRoomUp>,
): AsyncGenerator<Buffer> {
  const chunks = packed[Symbol.asyncIterator]()
  const head = await headOf(chunks)
  try {
    const giveRoomUp = await makeRoom(decoderMemory(coding, head))
    try {
      yield* decoded(head, chunks, coding)
    } finally {
      giveRoomUp()
    }
  } finally {
    // Not awaited: it would wait for a chunk that the sender may never send.
    void chunks.return?.(undefined)
  }
}

async function headOf(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
  const head = createGrowingBytes(0)
  while (head.length() < DECODER_HEAD_BYTES) {
    const next = await chunks.next()
    if (next.done === true) break
    head.put(next.value)
  }
  return head.takeAll()
}

async function* decoded(head: Buffer, rest: AsyncIterator<Buffer>, coding: PackedCoding): AsyncGenerator<Buffer> {
  const decoder = createDecoder(coding)
  const stopping = new AbortController()
  let packedBytes = 0
  let wireError: unknown
  async function feed(): Promise<void> {
    try {
      for (let chunk: Buffer | undefined = head; chunk !== undefined && !stopping.signal.aborted; chunk = (await rest.next()).value) {
        packedBytes += chunk.length
        if (!decoder.write(chunk)) await once(decoder, 'drain', { signal: stopping.signal })
      }
      decoder.end()
    } catch (error) {
      wireError = error
      decoder.destroy()
    }
  }
  // Not awaited when we stop early, as it would wait for bytes that the sender may never send.
  const fed = feed()
  try {
    // The decoder makes output only as fast as we take it, so a bomb is never unpacked beyond the limit.
    for await (const chunk of decoder) yield chunk as Buffer
  } catch (cause) {
    throw wireError ?? new RefusalError(refuse('invalid_content_encoding', { coding, why: textOf(cause) }))
  } finally {
    stopping.abort()
    decoder.destroy()
  }
  await fed
  // Node reads the first zstd frame or brotli stream and does not report what follows.
  if ((decoder as Transform & { bytesWritten: number }).bytesWritten < packedBytes) {
    throw new RefusalError(refuse('invalid_content_encoding', { coding, why: null }))
  }
}

type PackedCoding = Exclude<BodyCoding, 'identity'>

function createDecoder(coding: PackedCoding): Transform {
  switch (coding) {
    case 'gzip':
      return zlib.createGunzip({ chunkSize: CHUNK_BYTES_MAX })
    case 'br':
      return zlib.createBrotliDecompress({
        chunkSize: CHUNK_BYTES_MAX,
        params: { [zlib.constants.BROTLI_DECODER_PARAM_LARGE_WINDOW]: 0 },
      })
    case 'zstd':
      return zlib.createZstdDecompress({
        chunkSize: CHUNK_BYTES_MAX,
        params: { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
      })
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
