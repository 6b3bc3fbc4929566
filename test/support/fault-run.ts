import { setTimeout as delay } from 'node:timers/promises'
import { createRetryingClient, type RetryingClient } from '../crash/retrying-client.ts'
import type { DistributedStack, StackRole } from './servers/distributed-stack.ts'
import { type TollgateProcess, waitFor } from './servers/tollgate-process.ts'

/** Figures of one fault. Times are of a machine that runs all servers, processes and senders at once. */
export type FaultFigures = {
  readonly fault: string
  /** From the fault until every process is ready and a new event is in the usage that each api answers; and the same from the repair on. */
  readonly downMs: number
  readonly recoveredMs: number
  /** Requests that the senders had to send again meanwhile. */
  readonly retries: number
}

/** Our processes by role, which come and go, and clients that reach whichever runs. */
export type FaultRun = {
  readonly processes: Readonly<Record<StackRole, TollgateProcess[]>>
  readonly ingest: RetryingClient
  readonly api: RetryingClient
  readonly figures: FaultFigures[]
  startAll(): Promise<void>
  /** SIGKILL of the longest-running process of the role. */
  killOne(role: StackRole): Promise<void>
  /** Starts a process in the place of one that was killed. */
  startOne(role: StackRole): Promise<void>
  /** SIGTERM of the longest-running process, and a new one before or after it. Resolves with its exit code. */
  roll(role: StackRole, order: 'start first' | 'stop first'): Promise<number | null>
  /** Causes the fault, does the given work meanwhile, repairs, and waits until everything is well again. */
  disturb(fault: string, hurt: () => Promise<void>, repair: () => Promise<void>, meanwhile?: () => Promise<void>): Promise<void>
  /** Every process is ready, and a new event is in the usage that each api answers. */
  untilWell(): Promise<void>
}

const ADMIN_KEY = 'tg_test_admin_key_0123456789abcdef'
const WELL_WITHIN_MS = 120_000
const LOOK_EVERY_MS = 100

export function createFaultRun(stack: DistributedStack): FaultRun {
  const processes: Record<StackRole, TollgateProcess[]> = { ingest: [], aggregator: [], api: [] }
  const clientOf = (role: StackRole) => {
    let turn = 0
    return createRetryingClient(() => {
      const running = processes[role]
      return running[turn++ % Math.max(1, running.length)]?.url ?? 'http://127.0.0.1:1'
    }, ADMIN_KEY)
  }
  const [ingest, api] = [clientOf('ingest'), clientOf('api')]
  const figures: FaultFigures[] = []
  let probes = 0

  async function untilWell(): Promise<void> {
    const all = Object.values(processes).flat()
    await waitFor(async () => {
      const ready = await Promise.all(all.map(({ url }) => isAnswered(`${url}/readyz`)))
      if (ready.every(Boolean)) return true
      await delay(LOOK_EVERY_MS)
      return false
    }, WELL_WITHIN_MS)
    const body = { id: `probe-${++probes}`, type: 'probe.event', customer: 'probe' }
    await ingest.expect('POST', '/v1/events', body, [202])
    for (const { call } of processes.api) {
      await waitFor(async () => {
        const answer = await call('GET', '/v1/meters/probes/usage?groupBy=customer').catch(() => null)
        const found = (answer?.body as { data?: { events: number }[] })?.data?.[0]?.events
        if (found === probes) return true
        await delay(LOOK_EVERY_MS)
        return false
      }, WELL_WITHIN_MS)
    }
  }

  return {
    processes,
    ingest,
    api,
    figures,
    untilWell,
    async startAll() {
      await Promise.all(
        (['api', 'aggregator', 'ingest', 'aggregator', 'ingest', 'api'] as const).map(async (role) => {
          processes[role].push(await stack.start(role))
        }),
      )
    },
    async killOne(role) {
      // Clients find out by themselves that nobody answers there.
      await processes[role][0]?.kill()
    },
    async startOne(role) {
      processes[role].splice(0, 1, await stack.start(role))
    },
    async roll(role, order) {
      const [old] = processes[role]
      if (old === undefined) throw new Error(`there is no ${role} to restart`)
      if (order === 'start first') processes[role].push(await stack.start(role))
      const code = await old.stop()
      processes[role].splice(processes[role].indexOf(old), 1)
      if (order === 'stop first') processes[role].push(await stack.start(role))
      return code
    },
    async disturb(fault, hurt, repair, meanwhile) {
      const retriesBefore = ingest.retries() + api.retries()
      const hurtAtMs = performance.now()
      await hurt()
      await meanwhile?.()
      await repair()
      const mendedAtMs = performance.now()
      await untilWell()
      const wellAtMs = performance.now()
      figures.push({
        fault,
        downMs: Math.round(mendedAtMs - hurtAtMs),
        recoveredMs: Math.round(wellAtMs - mendedAtMs),
        retries: ingest.retries() + api.retries() - retriesBefore,
      })
    },
  }
}

async function isAnswered(url: string): Promise<boolean> {
  const answer = await fetch(url).catch(() => null)
  await answer?.body?.cancel()
  return answer?.status === 200
}
