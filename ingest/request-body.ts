import { isUtf8 } from 'node:buffer'
import { once } from 'node:events'
import type { IncomingHttpHeaders } from 'node:http'
import type { Readable, Transform } from 'node:stream'
import zlib from 'node:zlib'
import { type Outcome, RefusalError, refuse } from '../domain/refusal.ts'

export type BodyShape = 'object' | 'array' | 'object_or_array' | 'lines'
export type BodyCoding = 'identity' | 'gzip' | 'br' | 'zstd'
/** Of a packed body as it comes over the wire, and of any body once unpacked. */
export type BodyLimits = { readonly packedBytesMax: number; readonly unpackedBytesMax: number }

/** What the headers say that the body is. */
export function bodyKindOf(headers: IncomingHttpHeaders): Outcome<{ readonly shape: BodyShape; readonly coding: BodyCoding }> {
  const [mediaType = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';')
  const shape = SHAPES.get(mediaType.trim())
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
  return { shape, coding }
}

/** The body's bytes, unpacked, piece by piece. Throws a RefusalError as soon as a limit is passed, not when all is read. */
export function unpackedBody(body: Readable, headers: IncomingHttpHeaders, coding: BodyCoding, limits: BodyLimits): AsyncGenerator<Buffer> {
  const declaredBytes = Number(headers['content-length'] ?? 0)
  if (coding === 'identity') return wireChunks(body, declaredBytes, limits.unpackedBytesMax)
  return unpackedChunks(unpack(wireChunks(body, declaredBytes, limits.packedBytesMax), coding), limits.unpackedBytesMax)
}

/** The text of bytes that must be UTF-8; undefined when they are not. */
export function utf8TextOf(bytes: Buffer): string | undefined {
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined
}

// Maps, as the caller names the key: every object has a `constructor`.
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

/** A zstd frame may ask its reader for a window of 128 MiB; this is what `zstd -19` needs. */
const ZSTD_WINDOW_LOG_MAX = 23
const UNPACK_CHUNK_BYTES = 64 * 1024

/** Leaves the request open when we stop in the middle: destroying it would cut the connection before our answer. */
async function* wireChunks(body: Readable, declaredBytes: number, bytesMax: number): AsyncGenerator<Buffer> {
  if (declaredBytes > bytesMax) throw new RefusalError(refuse('payload_too_large', { bytes: declaredBytes, bytesMax }))
  let bytes = 0
  try {
    for await (const chunk of body.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length
      if (bytes > bytesMax) throw new RefusalError(refuse('payload_too_large', { bytes: 'more', bytesMax }))
      yield chunk as Buffer
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

async function* unpack(packed: AsyncIterable<Buffer>, coding: Exclude<BodyCoding, 'identity'>): AsyncGenerator<Buffer> {
  const decoder = createDecoder(coding)
  const stopping = new AbortController()
  let packedBytes = 0
  let wireError: unknown
  async function feed(): Promise<void> {
    try {
      for await (const chunk of packed) {
        if (stopping.signal.aborted) return
        packedBytes += chunk.length
        if (!decoder.write(chunk)) await once(decoder, 'drain', { signal: stopping.signal })
      }
      decoder.end()
    } catch (error) {
      wireError = error
      decoder.destroy()
    }
  }
  // Not awaited when we stop early: it would wait for bytes that the sender may never send.
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
  // Node reads the first zstd frame or brotli stream and says nothing of what follows.
  if ((decoder as Transform & { bytesWritten: number }).bytesWritten < packedBytes) {
    throw new RefusalError(refuse('invalid_content_encoding', { coding, why: null }))
  }
}

function createDecoder(coding: Exclude<BodyCoding, 'identity'>): Transform {
  switch (coding) {
    case 'gzip':
      return zlib.createGunzip({ chunkSize: UNPACK_CHUNK_BYTES })
    case 'br':
      return zlib.createBrotliDecompress({ chunkSize: UNPACK_CHUNK_BYTES })
    case 'zstd':
      return zlib.createZstdDecompress({
        chunkSize: UNPACK_CHUNK_BYTES,
        params: { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
      })
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
