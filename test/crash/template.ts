import { join } from 'node:path'
import { fillFromPrepared } from '../support/prepared-directory.ts'
import { onceInRun, RUN_DIRECTORY } from '../support/run-directory.ts'
import { freePort } from './free-port.ts'
import { untilReady } from './killer.ts'
import { startServerLife } from './server-life.ts'
import { CRASH_ENV } from './trial.ts'

/** A data directory as the first start with the settings of crash runs leaves it, to be copied: setting one up takes longer than a run. */
export function createTemplate(): Promise<string> {
  return onceInRun('crash-template', async () => {
    const dataDir = join(RUN_DIRECTORY, 'crash-template')
    await fillFromPrepared(dataDir, CRASH_ENV)
    const life = startServerLife({
      dataDir,
      logFile: join(RUN_DIRECTORY, 'crash-template.log'),
      port: await freePort(),
      env: CRASH_ENV,
      adminKey: 'tg_template_key_0123456789',
    })
    await untilReady(life)
    life.kill('SIGTERM')
    await life.exited
    return dataDir
  })
}
