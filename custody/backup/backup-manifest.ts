import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** The last file of a backup: without it the backup did not end. */
export const MANIFEST = 'backup.json'
/** Rises when a restore of before could not read a backup of now. */
export const BACKUP_VERSION = 1

export type Manifest = {
  readonly version: number
  /** Whose stores they are. */
  readonly installation: string
  readonly takenAt: string
  /** At least as far as the stores reach in each partition of the log: its next offset when the copy began. */
  readonly logNext: readonly number[]
  readonly files: readonly ManifestFile[]
}

/** `path` is relative to the backup, with `/`. */
export type ManifestFile = { readonly path: string; readonly bytes: number; readonly sha256: string }

/** Null when there is none or it is not one. */
export async function readManifest(directory: string): Promise<Manifest | null> {
  try {
    const manifest = JSON.parse(await readFile(join(directory, MANIFEST), 'utf8')) as Partial<Manifest>
    return typeof manifest.version === 'number' && Array.isArray(manifest.files) ? (manifest as Manifest) : null
  } catch {
    return null
  }
}

/** Every file and link below, in the order of their paths. A link counts as its target's text. */
export async function filesBelow(directory: string): Promise<readonly ManifestFile[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const paths = entries.flatMap((entry) => (entry.isDirectory() ? [] : [{ entry, path: join(entry.parentPath, entry.name) }]))
  const files: ManifestFile[] = []
  for (const { entry, path } of paths.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const name = relative(directory, path).replaceAll('\\', '/')
    if (name !== MANIFEST) files.push({ path: name, ...(entry.isSymbolicLink() ? linkSum(await readlink(path)) : await fileSum(path)) })
  }
  return files
}

function linkSum(target: string): Omit<ManifestFile, 'path'> {
  return { bytes: target.length, sha256: createHash('sha256').update(`link ${target}`).digest('hex') }
}

async function fileSum(path: string): Promise<Omit<ManifestFile, 'path'>> {
  const hash = createHash('sha256')
  let bytes = 0
  await pipeline(createReadStream(path), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      hash.update(chunk)
      bytes += chunk.length
    }
  })
  return { bytes, sha256: hash.digest('hex') }
}
