import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import { freePort, isPortOpen, isRunning, startServerProcess, waitUntilUp } from './server-process.ts'
import type { DevServer } from './servers.ts'

const START_LIMIT_MS = 60_000
const PASSWORD = 'tollgate-dev'

/** Starts the ClickHouse engine behind HTTP (`clickhouse-front.ts`) in `dir`. Tollgate makes the database that the URL names. */
export async function startClickHouse(dir: string, before: DevServer | undefined): Promise<DevServer> {
  const home = join(dir, 'clickhouse')
  await mkdir(home, { recursive: true })
  const portFile = join(home, 'port')
  const port = existsSync(portFile) ? Number(await readFile(portFile, 'utf8')) : await freePort()
  await writeFile(portFile, String(port))
  const running = before?.processes[0]
  const isUp = running !== undefined && (await isRunning(running))
  const server = isUp
    ? running
    : await startServerProcess({
        command: process.execPath,
        args: [join(import.meta.dirname, 'clickhouse-front.ts'), join(home, 'data'), String(port), PASSWORD],
        cwd: home,
        port,
        logFile: join(dir, 'clickhouse.log'),
      })
  await waitUntilUp(server, START_LIMIT_MS, () => isPortOpen(port))
  return {
    name: 'clickhouse',
    url: `http://tollgate:${PASSWORD}@127.0.0.1:${port}/tollgate`,
    version: `ClickHouse engine of chdb ${packageJson.dependencies.chdb} behind HTTP`,
    processes: [server],
  }
}
