import { resolve } from 'node:path'
import { Command } from 'commander'
import { Registry } from 'prom-client'
import type { BackupReport } from '../../custody/backup/take-backup.ts'
import { backUpStores } from '../backup/back-up-stores.ts'
import { askForBackup } from '../backup/control-socket.ts'
import { createLog } from '../log.ts'
import { CommandFailed } from '../process/command-failed.ts'
import { systemClock } from '../process/system-clock.ts'
import { commandConfig } from '../settings/command-config.ts'
import { ROLES } from '../settings/setting.ts'
import { openRoleStores } from '../stores.ts'

export function backupCommand(): Command {
  return new Command('backup')
    .description(
      'copy the embedded stores into a new directory below the one named, also while the server runs; `tollgate restore` takes it',
    )
    .argument('<directory>', 'where backups lie; what is as in the one before is linked to it and takes no room')
    .action(backUp)
}

async function backUp(directory: string): Promise<void> {
  const config = commandConfig()
  const target = resolve(directory)
  let report: BackupReport | null = null
  let failed: string | null = null
  const isRunning = await askForBackup(config.dataDir, target, (line) => {
    if ('progress' in line) console.log(line.progress)
    else if ('done' in line) report = line.done
    else failed = line.failed
  })
  if (!isRunning) report = await backUpStopped(target)
  if (failed !== null) throw new CommandFailed(`The backup failed: ${failed}`)
  if (report === null) throw new CommandFailed('The server ended before the backup did; what it had copied is dropped by the next one.')
  console.log(reportText(report))
}

async function backUpStopped(target: string): Promise<BackupReport> {
  const config = commandConfig()
  const log = createLog({ logLevel: config.logLevel === 'info' ? 'warn' : config.logLevel })
  const stores = await openRoleStores({ config, clock: systemClock, log, registry: new Registry(), doing: 'backup' }, ROLES)
  try {
    return await backUpStores({ stores, dataDir: config.dataDir, target, clock: systemClock, onProgress: console.log })
  } finally {
    await stores.stop()
  }
}

function reportText({ directory, files, bytes, newBytes }: BackupReport): string {
  return `${directory}: ${files} files, ${bytes} bytes, ${newBytes} of them not in the backup before`
}
