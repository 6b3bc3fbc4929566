import { resolve } from 'node:path'
import { Command } from 'commander'
import { restoreBackup } from '../../custody/backup/restore-backup.ts'
import { isRefusal } from '../../domain/refusal.ts'
import { refusalDetail } from '../../schemas/http/refusal-answer.ts'
import { CommandFailed } from '../process/command-failed.ts'
import { LOCK_FILES, lockDataDirectory } from '../process/data-directory-lock.ts'
import { commandConfig } from '../settings/command-config.ts'

export function restoreCommand(): Command {
  return new Command('restore')
    .description('put a backup into the data directory, which must be empty; every file of it is checked first')
    .argument('<backup>', 'a directory that `tollgate backup` printed')
    .action(restore)
}

async function restore(backup: string): Promise<void> {
  const { dataDir } = commandConfig()
  const lock = lockDataDirectory(dataDir, { pid: process.pid, doing: 'restore' })
  try {
    const restored = await restoreBackup(resolve(backup), resolve(dataDir), LOCK_FILES)
    if (isRefusal(restored)) throw new CommandFailed(refusalDetail(restored))
    console.log(
      `Restored ${restored.files.length} files of ${restored.takenAt} into ${dataDir}. Compare with \`tollgate verify\`, then start the server.`,
    )
  } finally {
    lock.release()
  }
}
