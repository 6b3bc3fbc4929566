import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { Release } from '../../adapters/database/downloads/download-store.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, RefusalError, refuse } from '../../domain/refusal.ts'
import type { SellingKit } from '../selling-kit.ts'
import { readFileName } from './file-name.ts'

export type Upload = {
  readonly download: string
  readonly version: string
  readonly filename: string
  readonly bytes: Readable
  /** As the headers announce them; null when they do not. */
  readonly declaredBytes: number | null
}

/**
 * Streams a file into the store and writes its release behind it, so that a release always has its bytes. Size and SHA-256 are taken on
 * the way. Refuses `unknown_download`, `version_exists`, `invalid_filename`, `empty_file`, `file_too_large`, `file_cut_off`.
 */
export async function storeRelease(
  { stores: { downloads }, files, downloadBytesMax }: Pick<SellingKit, 'stores' | 'files' | 'downloadBytesMax'>,
  tenant: TenantKey,
  upload: Upload,
  nowMs: InstantMs,
): Promise<Outcome<Release>> {
  const { download, version, bytes, declaredBytes } = upload
  const filename = readFileName(upload.filename)
  if (isRefusal(filename)) return filename
  if ((await downloads.get(tenant, download)) === null) return refuse('unknown_download', { download })
  const known = await downloads.releasesOf(tenant, download)
  if (known.some((release) => release.version === version)) return refuse('version_exists', { download, version })
  if (declaredBytes !== null && declaredBytes > downloadBytesMax) return refuse('file_too_large', { bytesMax: downloadBytesMax })
  const counted = countBytes(bytes, downloadBytesMax, declaredBytes)
  const id = downloads.createReleaseId(nowMs)
  try {
    await files.put({ tenant, id }, counted.bytes)
  } catch (error) {
    if (error instanceof RefusalError) return error.refusal
    throw error
  }
  const release = { id, download, version, filename, bytes: counted.count(), sha256: counted.sha256(), createdMs: nowMs }
  const written = await downloads.release(tenant, release)
  // Another upload of the same version was faster.
  if (isRefusal(written)) await files.remove({ tenant, id })
  return written
}

/** Fails within the stream, so that the store keeps nothing. */
function countBytes(source: Readable, bytesMax: number, declaredBytes: number | null) {
  const hash = createHash('sha256')
  let count = 0
  async function* counted(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of source as AsyncIterable<Buffer>) {
        count += chunk.length
        if (count > bytesMax) throw new RefusalError(refuse('file_too_large', { bytesMax }))
        hash.update(chunk)
        yield chunk
      }
    } catch (error) {
      if (error instanceof RefusalError) throw error
      throw new RefusalError(refuse('file_cut_off', { bytes: count, declaredBytes: declaredBytes ?? count }))
    }
    if (declaredBytes !== null && count < declaredBytes) throw new RefusalError(refuse('file_cut_off', { bytes: count, declaredBytes }))
    if (count === 0) throw new RefusalError(refuse('empty_file', {}))
  }
  return { bytes: counted(), count: () => count, sha256: () => hash.digest('hex') }
}
