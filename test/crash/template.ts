import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { untilReady } from './killer.ts'
import { startServerLife } from './server-life.ts'
import { CRASH_ENV } from './trial.ts'

/** A data directory as the first start leaves it, to be copied: setting one up takes longer than a run. */
export async function createTemplate(directory: string): Promise<string> {
  const dataDir = join(directory, 'template')
  const life = startServerLife({
    dataDir,
    logFile: join(directory, 'template.log'),
    port: await freePort(),
    env: CRASH_ENV,
    adminKey: 'tg_template_key_0123456789',
  })
  await untilReady(life)
  life.kill('SIGTERM')
  await life.exited
  return dataDir
}
