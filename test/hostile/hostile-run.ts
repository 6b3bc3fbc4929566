import { type ChildProcess, fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type LoadResult, runLoad } from '../../bench/load.ts'
import { createBenchCatalog, portOf, subscribeCustomers } from '../../bench/measured-server.ts'
import { customerKey, DEFAULT_WORKLOAD } from '../../bench/usage-workload.ts'
import { fillFromPrepared } from '../support/prepared-directory.ts'
import {
  removeDirectory,
  runTollgate,
  startTollgate,
  type TollgateProcess,
  temporaryDirectory,
} from '../support/servers/tollgate-process.ts'
import type { AttackCounts, AttackOrder } from './attack-process.ts'

export type HostileOptions = {
  readonly calmMs: number
  readonly attackMs: number
  /** Of the honest tenant. */
  readonly eventsPerSecond: number
  readonly decisionsPerSecond: number
  readonly tenants: number
  /** How long an attacker waits after each attempt. */
  readonly pauseMs: number
  readonly heapMib: number
  readonly progress: (what: string) => void
}

export type HonestResult = { readonly events: LoadResult; readonly decisions: LoadResult }
export type HostileReport = {
  readonly calm: HonestResult
  readonly attacked: HonestResult
  readonly attacks: AttackCounts
  /** Ends of the server process before it was told to stop. */
  readonly restarts: number
  readonly residentMibMax: number
  readonly verify: { readonly code: number | null; readonly output: string }
}

const HONEST_CUSTOMERS = 50
const BATCH_EVENTS = 100
const CONNECTIONS = 16

/** A server with a small heap, an honest tenant alone, then the same beside hostile ones, and the proof that nothing was lost. */
export async function hostileRun(options: HostileOptions): Promise<HostileReport> {
  const { progress } = options
  const dataDir = await temporaryDirectory()
  try {
    await fillFromPrepared(dataDir)
    const keys: string[] = []
    for (let n = 1; n <= options.tenants; n++) keys.push(await keyOfTenant(dataDir, `hostile-${n}`))
    const env = { NODE_OPTIONS: `--max-old-space-size=${options.heapMib}`, NODE_ENV: 'production', TOLLGATE_LOG_LEVEL: 'error' }
    const server = await startTollgate({ dataDir, env })
    const measured = await attackedServer(server, keys, options).finally(() => server.stop())
    progress('verify')
    return { ...measured, verify: await runTollgate(['verify'], { TOLLGATE_DATA_DIR: dataDir }) }
  } finally {
    await removeDirectory(dataDir)
  }
}

/** Keys of other tenants are made by the command line alone. */
async function keyOfTenant(dataDir: string, tenant: string): Promise<string> {
  const args = ['keys', 'create', '--name', tenant, '--scopes', 'admin', '--tenant', tenant]
  const { output } = await runTollgate(args, { TOLLGATE_DATA_DIR: dataDir })
  const key = /tg_sk_\w+/.exec(output)?.[0]
  if (key === undefined) throw new Error(`no key for ${tenant}:\n${output}`)
  return key
}

async function attackedServer(
  server: TollgateProcess,
  keys: readonly string[],
  options: HostileOptions,
): Promise<Omit<HostileReport, 'verify'>> {
  const { progress } = options
  progress('the catalog of the honest tenant')
  await createBenchCatalog(server)
  await subscribeCustomers(server, HONEST_CUSTOMERS)
  await honestLoad(server, options, Math.min(5_000, options.calmMs), 'warm')
  progress(`calm for ${options.calmMs / 1_000} s`)
  const calm = await honestLoad(server, options, options.calmMs, 'calm')
  const targets = keys.map((key, n) => ({ port: portOf(server), key, name: `hostile-${n + 1}`, localAddress: `127.0.0.${n + 2}` }))
  const attackers = startAttackers({ targets, pauseMs: options.pauseMs })
  try {
    await attackers.ready
    progress(`under attack for ${options.attackMs / 1_000} s`)
    const attacked = await honestLoad(server, options, options.attackMs, 'attacked')
    const residentMibMax = residentMibMaxOf(server.pid)
    return { calm, attacked, attacks: await attackers.stop(), restarts: Number.isNaN(residentMibMax) ? 1 : 0, residentMibMax }
  } catch (error) {
    throw new Error(`${String(error)}\nThe server said last:\n${server.output().slice(-4_000)}`, { cause: error })
  } finally {
    attackers.kill()
  }
}

async function honestLoad(server: TollgateProcess, options: HostileOptions, durationMs: number, idPrefix: string): Promise<HonestResult> {
  const common = { port: portOf(server), key: server.adminKey, connections: CONNECTIONS, durationMs }
  const workload = { ...DEFAULT_WORKLOAD, customers: HONEST_CUSTOMERS }
  const bodies = Array.from({ length: HONEST_CUSTOMERS }, (_, n) => JSON.stringify({ customer: customerKey(n), feature: 'tokens' }))
  const [events, decisions] = await Promise.all([
    runLoad({
      ...common,
      requests: { kind: 'events', batchEvents: BATCH_EVENTS, workload, idPrefix, spreadMs: 0 },
      requestsPerSecond: options.eventsPerSecond / BATCH_EVENTS,
    }),
    runLoad({
      ...common,
      requests: { kind: 'post', path: '/v1/decisions', bodies },
      requestsPerSecond: options.decisionsPerSecond,
    }),
  ])
  return { events, decisions }
}

function startAttackers(order: AttackOrder) {
  const child: ChildProcess = fork(join(import.meta.dirname, 'attack-process.ts'), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ready = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<AttackCounts>()
  // Whoever waits for one of them hears of a failure there.
  ended.promise.catch(() => undefined)
  child.on('message', (message: { ready: true } | { counts: AttackCounts } | { failure: string }) => {
    if ('ready' in message) ready.resolve()
    else if ('counts' in message) ended.resolve(message.counts)
    else for (const each of [ready, ended]) each.reject(new Error(`attackers: ${message.failure}`))
  })
  child.send(order)
  return {
    ready: ready.promise,
    stop() {
      child.send('stop')
      return ended.promise
    },
    kill: () => child.kill(),
  }
}

/** NaN when the process is gone. */
function residentMibMaxOf(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024
  } catch {
    return Number.NaN
  }
}
