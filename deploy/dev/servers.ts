import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { startClickHouse } from './clickhouse.ts'
import { type KafkaSize, startKafka } from './kafka.ts'
import { startPostgres } from './postgres.ts'
import { startRedis } from './redis.ts'
import { isRunning, type ServerProcess, stopServerProcess } from './server-process.ts'

export const DEV_SERVER_NAMES = ['kafka', 'clickhouse', 'postgres', 'redis'] as const
export type DevServerName = (typeof DEV_SERVER_NAMES)[number]

export type DevServer = {
  readonly name: DevServerName
  readonly url: string
  /** Kafka only: the same brokers behind SASL/PLAIN (`DEV_SASL`). */
  readonly saslUrl?: string
  /** Product and version, e.g. 'PostgreSQL 15.14'. */
  readonly version: string
  /** One per broker; one otherwise. */
  readonly processes: readonly ServerProcess[]
}

export type DevServers = {
  readonly servers: Readonly<Partial<Record<DevServerName, DevServer>>>
  /** Servers asked for that are not available, and why. */
  readonly missing: Readonly<Partial<Record<DevServerName, string>>>
}

export const DEV_SERVERS_DIR = join(tmpdir(), 'tollgate-dev-servers')

/** How long a server may take to stop before it is killed; a broker of three that stops last waits in vain for the others. */
const STOP_LIMIT_MS = { kafka: 8_000, clickhouse: 5_000, postgres: 10_000, redis: 5_000 } as const

/**
 * Starts those of `names` that do not run in `dir` yet, on free ports of 127.0.0.1 that they keep over restarts. With
 * `ownerPid` they are stopped and their data removed when that process is gone, however it ended.
 */
export async function startDevServers(options: {
  readonly dir: string
  readonly names?: readonly DevServerName[]
  readonly brokers?: number
  readonly ownerPid?: number
}): Promise<DevServers> {
  const dir = resolve(options.dir)
  await mkdir(dir, { recursive: true })
  if (options.ownerPid !== undefined) stopWhenGone(options.ownerPid, dir)
  const missing: Partial<Record<DevServerName, string>> = {}
  const before = await readDevServers(dir)
  const servers = { ...before }
  // One after another: three JVMs and an initdb at once would only wait for each other on a small machine.
  for (const name of options.names ?? DEV_SERVER_NAMES) {
    try {
      servers[name] = await startServer(
        name,
        dir,
        { brokers: options.brokers ?? 1, isShortLived: options.ownerPid !== undefined },
        before[name],
      )
    } catch (error) {
      missing[name] = error instanceof Error ? error.message : String(error)
    }
    await saveDevServers(dir, servers)
  }
  return { servers, missing }
}

/** Stops servers of `dir` and their children; their data stays. */
export async function stopDevServers(options: { readonly dir: string; readonly names?: readonly DevServerName[] }): Promise<void> {
  const servers = await readDevServers(resolve(options.dir))
  await Promise.all(
    (options.names ?? DEV_SERVER_NAMES).flatMap((name) =>
      (servers[name]?.processes ?? []).map((process) =>
        // SIGINT is PostgreSQL's fast shutdown; on SIGTERM it would wait for its clients to leave.
        stopServerProcess(process, name === 'postgres' ? 'SIGINT' : 'SIGTERM', STOP_LIMIT_MS[name]),
      ),
    ),
  )
}

/** Kills all servers of `dir` at once and removes the directory. */
export async function discardDevServers(dir: string): Promise<void> {
  const servers = await readDevServers(resolve(dir))
  const processes = Object.values(servers).flatMap((server) => server.processes)
  await Promise.all(processes.map((process) => stopServerProcess(process, 'SIGKILL', 0)))
  await rm(resolve(dir), { recursive: true, force: true, maxRetries: 5 })
}

/** The servers once started in `dir`, running or not. */
export async function readDevServers(dir: string): Promise<Partial<Record<DevServerName, DevServer>>> {
  const file = join(dir, 'servers.json')
  return existsSync(file) ? (JSON.parse(await readFile(file, 'utf8')) as Partial<Record<DevServerName, DevServer>>) : {}
}

/** True when every process of the server runs. */
export async function isDevServerRunning(server: DevServer | undefined): Promise<boolean> {
  if (server === undefined) return false
  return (await Promise.all(server.processes.map(isRunning))).every(Boolean)
}

function startServer(name: DevServerName, dir: string, kafka: KafkaSize, before: DevServer | undefined): Promise<DevServer> {
  switch (name) {
    case 'kafka':
      return startKafka(dir, kafka, before)
    case 'clickhouse':
      return startClickHouse(dir, before)
    case 'postgres':
      return startPostgres(dir, before)
    case 'redis':
      return startRedis(dir, before)
  }
}

async function saveDevServers(dir: string, servers: Partial<Record<DevServerName, DevServer>>): Promise<void> {
  const file = join(dir, 'servers.json')
  await writeFile(`${file}.new`, JSON.stringify(servers, null, 2))
  await rename(`${file}.new`, file)
}

function stopWhenGone(ownerPid: number, dir: string): void {
  const script = 'while kill -0 "$1" 2>/dev/null && [ -e "$4" ]; do sleep 1; done; [ ! -e "$4" ] || exec "$2" "$3" discard --dir "$4"'
  spawn('sh', ['-c', script, 'stop-when-gone', String(ownerPid), process.execPath, import.meta.filename, dir], {
    detached: true,
    stdio: 'ignore',
  }).unref()
}

const HELP = `node deploy/dev/servers.ts start|status|env|stop|discard [kafka|clickhouse|postgres|redis ...] [--brokers 1|3] [--dir DIR]

start    starts real servers (all when none is named) and prints the settings that put tollgate on them, as JSON
status   prints the same JSON for what runs
env      prints these settings for a shell: eval "$(npm run -s dev:servers env)" && npm start
stop     stops them; their data stays
discard  kills all of them and removes their data
--dir    where they keep data, logs and servers.json (${DEV_SERVERS_DIR})
`

/** Environment variables that put Tollgate on those of these servers that run. */
async function settings(servers: DevServers['servers']): Promise<Readonly<Record<string, string>>> {
  const variables = { kafka: 'KAFKA_BROKERS', clickhouse: 'CLICKHOUSE_URL', postgres: 'DATABASE_URL', redis: 'REDIS_URL' } as const
  const found: Record<string, string> = {}
  for (const name of DEV_SERVER_NAMES) {
    const server = servers[name]
    if (server === undefined || !(await isDevServerRunning(server))) continue
    found[variables[name]] = server.url
    if (name === 'kafka') found.KAFKA_REPLICATION = String(Math.min(3, server.processes.length))
  }
  return found
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      brokers: { type: 'string', default: '1' },
      dir: { type: 'string', default: DEV_SERVERS_DIR },
    },
  })
  const [command, ...named] = positionals
  const names = DEV_SERVER_NAMES.filter((name) => named.length === 0 || named.includes(name))
  const unknown = named.filter((name) => !DEV_SERVER_NAMES.some((known) => known === name))
  const isUsable =
    ['start', 'status', 'env', 'stop', 'discard'].includes(command ?? '') && ['1', '3'].includes(values.brokers) && unknown.length === 0
  if (!isUsable) {
    process.stderr.write(HELP)
    return 2
  }
  if (command === 'stop' || command === 'discard') {
    await (command === 'stop' ? stopDevServers({ dir: values.dir, names }) : discardDevServers(values.dir))
    return 0
  }
  const { servers, missing } =
    command === 'start'
      ? await startDevServers({ dir: values.dir, names, brokers: Number(values.brokers) })
      : { servers: await readDevServers(values.dir), missing: {} }
  if (command === 'env') {
    const lines = Object.entries(await settings(servers)).map(([name, value]) => `export ${name}='${value}'\n`)
    process.stdout.write(lines.join(''))
    return lines.length > 0 ? 0 : 1
  }
  const versions = Object.fromEntries(Object.entries(servers).map(([name, server]) => [name, server.version]))
  process.stdout.write(`${JSON.stringify({ urls: await settings(servers), versions, missing, dir: resolve(values.dir) }, null, 2)}\n`)
  return Object.keys(missing).length === 0 ? 0 : 1
}

if (process.argv[1] === import.meta.filename) process.exitCode = await main(process.argv.slice(2))
