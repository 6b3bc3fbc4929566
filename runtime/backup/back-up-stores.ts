import { copyFile, cp, stat } from 'node:fs/promises'
import { join, resolve, sep } from 'node:path'
import { sqlInstallationStore } from '../../adapters/database/installation/installation-store.ts'
import type { Clock } from '../../base/clock.ts'
import { type BackupReport, type BackupSource, takeBackup } from '../../custody/backup/take-backup.ts'
import type { Partition } from '../../domain/identity.ts'
import { CommandFailed } from '../process/command-failed.ts'
import { INSTALLATION_FILE } from '../process/stores-belong-together.ts'
import type { RoleStores } from '../stores.ts'

export type BackUpOptions = {
  readonly stores: Pick<RoleStores, 'database' | 'usageStore' | 'counters' | 'eventLog'>
  readonly dataDir: string
  readonly target: string
  readonly clock: Pick<Clock, 'now'>
  readonly onProgress: (text: string) => void
}

/** Copies the embedded stores of this process; those on servers are backed up by the servers' own means. */
export async function backUpStores({ stores, dataDir, target, clock, onProgress }: BackUpOptions): Promise<BackupReport> {
  const { database, usageStore, counters, eventLog } = stores
  if (`${resolve(target)}${sep}`.startsWith(`${resolve(dataDir)}${sep}`)) {
    throw new CommandFailed(`${target} lies in the data directory ${dataDir}, which it is to be a copy of; name another directory.`, 2)
  }
  // The log last: it then reaches at least as far as what the others have read of it.
  const sources = [
    ...sourceOf(database, 'catalog', dataDir),
    ...sourceOf(usageStore, 'usage-store', dataDir),
    ...sourceOf(counters, 'counters', dataDir),
    ...(await undecodable(dataDir)),
    ...sourceOf(eventLog, 'event-log', dataDir),
  ]
  if (sources.length === 0) {
    throw new CommandFailed('Every store is on a server; back them up by the servers’ own means: docs/guide/backups.md.', 1)
  }
  const partitions = Array.from({ length: eventLog.partitions }, (_, partition) => partition as Partition)
  const logNext = await Promise.all(partitions.map(async (partition) => (await eventLog.range(partition)).next as number))
  const { id: installation } = await sqlInstallationStore(database.session).get()
  return await takeBackup({ sources, target: resolve(target), installation, logNext, nowMs: clock.now(), onProgress })
}

type Snapshots = { snapshot?(directory: string): Promise<void> }

function sourceOf(store: Snapshots | null, name: string, dataDir: string): readonly BackupSource[] {
  const copy = store?.snapshot
  if (copy === undefined) return []
  return [
    {
      name,
      async snapshot(directory) {
        await copy(directory)
        // Stores carry the id of their installation in a file of their own; the catalog has it inside.
        if (name !== 'catalog') await copyFile(join(dataDir, name, INSTALLATION_FILE), join(directory, INSTALLATION_FILE))
      },
    },
  ]
}

/** Records that could not be decoded, for a person to look at; most installations have none. */
async function undecodable(dataDir: string): Promise<readonly BackupSource[]> {
  const name = 'undecodable'
  const path = join(dataDir, name)
  const isThere = await stat(path).then(
    () => true,
    () => false,
  )
  return isThere ? [{ name, snapshot: (directory) => cp(path, directory, { recursive: true }) }] : []
}
