import { cp, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Outcome, refuse } from '../../domain/refusal.ts'
import { BACKUP_VERSION, filesBelow, type Manifest, readManifest } from './backup-manifest.ts'

/** Written last, so that a restore that was killed leaves stores without their database, which no start takes. */
const LAST = 'catalog'
const RESTORING = 'restoring'

/**
 * Puts a backup into an empty data directory. Every file is checked first, so that a backup that was cut off or changed restores
 * nothing. Refuses `no_backup`, `backup_too_new`, `backup_changed`, `directory_not_empty`.
 */
export async function restoreBackup(backup: string, dataDir: string, ownFiles: readonly string[]): Promise<Outcome<Manifest>> {
  const manifest = await readManifest(backup)
  if (manifest === null) return refuse('no_backup', { backup })
  if (manifest.version > BACKUP_VERSION) return refuse('backup_too_new', { version: manifest.version, readable: BACKUP_VERSION })
  const held = (await readdir(dataDir)).filter((name) => !ownFiles.includes(name))
  if (held.length > 0) return refuse('directory_not_empty', { directory: dataDir, held })
  const wrong = await firstWrong(backup, manifest)
  if (wrong !== null) return refuse('backup_changed', { file: wrong })
  const restoring = join(dataDir, RESTORING)
  await mkdir(restoring, { mode: 0o700 })
  const stores = (await readdir(backup, { withFileTypes: true })).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  for (const store of stores) await cp(join(backup, store), join(restoring, store), { recursive: true, verbatimSymlinks: true })
  for (const store of stores.sort((a, b) => Number(a === LAST) - Number(b === LAST))) {
    await rename(join(restoring, store), join(dataDir, store))
  }
  await rm(restoring, { recursive: true })
  return manifest
}

/** The first file that is not as the manifest says, or that is missing or too many; null: the backup is whole. */
async function firstWrong(backup: string, { files }: Manifest): Promise<string | null> {
  for (const { path, bytes } of files) {
    const found = await stat(join(backup, path)).catch(() => null)
    // A link has the size of what it leads to; it is compared with the others below.
    if (found === null || (found.isFile() && found.size !== bytes)) return path
  }
  const [told, found] = [new Map(files.map(({ path, sha256 }) => [path, sha256])), await filesBelow(backup)]
  const changed = found.find(({ path, sha256 }) => told.get(path) !== sha256)
  return (
    changed?.path ??
    (found.length === files.length ? null : (files.find(({ path }) => !found.some((file) => file.path === path))?.path ?? null))
  )
}
