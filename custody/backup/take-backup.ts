import { link, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { InstantMs } from '../../domain/identity.ts'
import { BACKUP_VERSION, filesBelow, MANIFEST, type Manifest, type ManifestFile, readManifest } from './backup-manifest.ts'

/** A store of this process, under the name of its directory. */
export type BackupSource = { readonly name: string; readonly snapshot: (directory: string) => Promise<void> }

export type BackupOptions = {
  /** In this order: the event log last, so that it reaches at least as far as every view of it. */
  readonly sources: readonly BackupSource[]
  /** Where backups lie beside each other. */
  readonly target: string
  readonly installation: string
  readonly logNext: readonly number[]
  readonly nowMs: InstantMs
  readonly onProgress: (text: string) => void
}

export type BackupReport = { readonly directory: string; readonly files: number; readonly bytes: number; readonly newBytes: number }

/**
 * Copies every store into `<target>/<instant>`. The copies are not of one moment; each is as after a kill, and the log, which is
 * copied last, has every record that a view has seen. So a server opened on them goes on as after a kill. The directory has its
 * name, and its manifest, only when everything is there: a backup that was killed is none. What the backup before has too is linked
 * to it, and takes no room.
 */
export async function takeBackup({ sources, target, installation, logNext, nowMs, onProgress }: BackupOptions): Promise<BackupReport> {
  const takenAt = new Date(nowMs).toISOString()
  const name = takenAt.replaceAll(':', '-')
  const [directory, partial] = [join(target, name), join(target, `${name}${PARTIAL}`)]
  await mkdir(target, { recursive: true, mode: 0o700 })
  await removePartial(target)
  const before = await lastBackup(target)
  await mkdir(partial, { mode: 0o700 })
  for (const source of sources) {
    onProgress(`copying ${source.name}`)
    await source.snapshot(join(partial, source.name))
  }
  onProgress('adding up')
  const files = await filesBelow(partial)
  const linked = before === null ? 0 : await linkSame(partial, files, before)
  const manifest: Manifest = { version: BACKUP_VERSION, installation, takenAt, logNext, files }
  for (const { path } of files) await sync(join(partial, path))
  await writeFile(join(partial, MANIFEST), `${JSON.stringify(manifest)}\n`, { flush: true })
  await rename(partial, directory)
  await sync(target)
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  return { directory, files: files.length, bytes, newBytes: bytes - linked }
}

const PARTIAL = '.partial'

async function removePartial(target: string): Promise<void> {
  for (const name of await readdir(target)) if (name.endsWith(PARTIAL)) await rm(join(target, name), { recursive: true, force: true })
}

type Earlier = { readonly directory: string; readonly files: ReadonlyMap<string, ManifestFile> }

async function lastBackup(target: string): Promise<Earlier | null> {
  for (const name of (await readdir(target)).sort().reverse()) {
    const manifest = await readManifest(join(target, name))
    if (manifest !== null) return { directory: join(target, name), files: new Map(manifest.files.map((file) => [file.path, file])) }
  }
  return null
}

/** The bytes of the files that are the same as in the backup before, and now are one with them. */
async function linkSame(directory: string, files: readonly ManifestFile[], before: Earlier): Promise<number> {
  let bytes = 0
  for (const { path, sha256, ...file } of files) {
    if (before.files.get(path)?.sha256 !== sha256) continue
    const [own, linked] = [join(directory, path), join(directory, `${path}.linked`)]
    try {
      await link(join(before.directory, path), linked)
    } catch {
      // On a file system without links, and where the backup before is broken, the own copy stays.
      continue
    }
    await rename(linked, own)
    bytes += file.bytes
  }
  return bytes
}

async function sync(path: string): Promise<void> {
  const handle = await open(path).catch(() => null)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}
