import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findOrInstall } from './apt.ts'
import { freePort, isPortOpen, isRunning, startServerProcess, waitUntilUp } from './server-process.ts'
import type { DevServer } from './servers.ts'

const run = promisify(execFile)
const START_LIMIT_MS = 15_000
const PASSWORD = 'tollgate-dev'

/** Starts a Redis (or Valkey) with an append-only file in `dir`, so that a restart keeps what was acknowledged up to a second ago. */
export async function startRedis(dir: string, before: DevServer | undefined): Promise<DevServer> {
  const command = await findOrInstall(['redis-server', 'valkey-server'], 'redis-server')
  const home = join(dir, 'redis')
  await mkdir(home, { recursive: true })
  const portFile = join(home, 'port')
  const port = existsSync(portFile) ? Number(await readFile(portFile, 'utf8')) : await freePort()
  await writeFile(portFile, String(port))
  const running = before?.processes[0]
  const isUp = running !== undefined && (await isRunning(running))
  const settings = {
    bind: '127.0.0.1',
    port,
    dir: home,
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
    requirepass: PASSWORD,
  }
  const process = isUp
    ? running
    : await startServerProcess({
        command,
        args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
        cwd: home,
        port,
        logFile: join(dir, 'redis.log'),
      })
  await waitUntilUp(process, START_LIMIT_MS, () => isPortOpen(port))
  const { stdout } = await run(command, ['--version'])
  const version = /v=(\S+)/.exec(stdout)?.[1] ?? 'of unknown version'
  const product = command.includes('valkey') ? 'Valkey' : 'Redis'
  return { name: 'redis', url: `redis://:${PASSWORD}@127.0.0.1:${port}`, version: `${product} ${version}`, processes: [process] }
}
