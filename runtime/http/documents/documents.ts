import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { FastifyContextConfig } from 'fastify'
import type { HttpApp } from '../../../schemas/http/common.ts'

/** A text that is the same for all readers while the process runs. */
export type HttpDocument = {
  readonly path: string
  readonly contentType: string
  readonly make: () => string
  /** Tells the browser what the page may load; for pages alone. */
  readonly contentSecurityPolicy?: string
}

/**
 * Creates and compresses each document once, on the first request, so that further requests, which need no key, only write
 * existing bytes. A reader who names its ETag gets 304.
 */
export function serveDocuments(app: HttpApp, documents: readonly HttpDocument[], config: FastifyContextConfig): void {
  for (const { path, contentType, make, contentSecurityPolicy } of documents) {
    let prepared: Promise<Prepared> | null = null
    app.get(path, { config, schema: { hide: true } as object }, async (request, reply) => {
      prepared ??= prepare(make())
      const encoded = await prepared
      const encoding = ENCODINGS.find((each) => accepts(request.headers['accept-encoding'], each)) ?? 'identity'
      const { bytes, etag } = encoded[encoding]
      reply
        .header('etag', etag)
        .header('vary', 'Accept-Encoding')
        .header('cache-control', 'no-cache')
        .header('x-content-type-options', 'nosniff')
      if (request.headers['if-none-match']?.split(',').some((known) => known.trim() === etag)) return reply.code(304).send()
      if (contentSecurityPolicy !== undefined) reply.header('content-security-policy', contentSecurityPolicy)
      if (encoding !== 'identity') reply.header('content-encoding', encoding)
      return reply.type(contentType).send(bytes)
    })
  }
}

const ENCODINGS = ['br', 'gzip'] as const
type Encoding = (typeof ENCODINGS)[number] | 'identity'
type Prepared = Readonly<Record<Encoding, { readonly bytes: Buffer; readonly etag: string }>>

async function prepare(text: string): Promise<Prepared> {
  const identity = Buffer.from(text)
  const [br, gz] = await Promise.all([
    promisify(brotliCompress)(identity, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
    promisify(gzip)(identity),
  ])
  const name = createHash('sha256').update(identity).digest('base64url').slice(0, 22)
  return {
    identity: { bytes: identity, etag: `"${name}"` },
    br: { bytes: br, etag: `"${name}-br"` },
    gzip: { bytes: gz, etag: `"${name}-gz"` },
  }
}

/** Above it a document of 600 KB takes a second of a thread for a tenth of its size. */
const BROTLI_QUALITY = 6

function accepts(header: string | string[] | undefined, encoding: string): boolean {
  return [header ?? []]
    .flat()
    .join(',')
    .split(',')
    .some((each) => {
      const [name = '', ...parameters] = each.split(';').map((part) => part.trim().toLowerCase())
      return name === encoding && !parameters.some((parameter) => /^q=0(\.0{1,3})?$/.test(parameter))
    })
}
