import { join } from 'node:path'
import { createSeededRandom } from '../support/seeded-random.ts'
import { type DistributedStack, rolesOf } from '../support/servers/distributed-stack.ts'
import { runTollgate } from '../support/servers/tollgate-process.ts'
import { createFleet, type FleetDeath, type FleetRole } from './fleet.ts'
import { freePort } from './free-port.ts'
import { createRetryingClient } from './retrying-client.ts'
import type { ServerPlace } from './server-life.ts'
import { ADMIN_KEY, CRASH_ENV, judge, type Verdict } from './trial.ts'

export type DistributedCrashRunOptions = {
  readonly seed: number
  /** The most kills, counted from when load is sent. */
  readonly deathsMax: number
  /** Empty; the logs of the processes go here. */
  readonly directory: string
  /** Real servers that have received nothing yet. */
  readonly stack: Pick<DistributedStack, 'env'>
  readonly onDeath?: (death: FleetDeath) => void
}
export type DistributedCrashRun = Verdict & { readonly deaths: readonly FleetDeath[]; readonly tookMs: number }

/** The roles that share their work have two processes. */
const ROLES: readonly FleetRole[] = ['ingest', 'aggregator', 'aggregator', 'api', 'api']

/** One seed with the roles apart: any of them is killed and started again. Throws the first difference. */
export async function distributedCrashRun(options: DistributedCrashRunOptions): Promise<DistributedCrashRun> {
  const { seed, deathsMax, stack, onDeath } = options
  const startedMs = performance.now()
  const random = createSeededRandom(seed)
  const env = { ...stack.env, ...CRASH_ENV, TOLLGATE_FLUSH_INTERVAL_MS: String(random.pick([40, 100, 400])) }
  const places = await Promise.all(ROLES.map((role, index) => placeOf(options, env, role, index)))
  const deaths: FleetDeath[] = []
  const fleet = createFleet(places, (death) => {
    deaths.push(death)
    onDeath?.(death)
  })
  const urlsOf = (wanted: FleetRole) => places.filter(({ role }) => role === wanted).map(({ place }) => `http://127.0.0.1:${place.port}`)
  const takeTurns = { ingest: turnsOf(urlsOf('ingest')), api: turnsOf(urlsOf('api')) }
  try {
    const verdict = await judge({
      random,
      client: createRetryingClient(
        (method, path) => (method === 'POST' && path.startsWith('/v1/events') ? takeTurns.ingest() : takeTurns.api()),
        ADMIN_KEY,
      ),
      aggregatorUrls: urlsOf('aggregator'),
      async disturb({ random: ofDeaths, load, answers }) {
        const under = { begun: load, answers, startBackfill: () => void load.then(({ changeNextMeter }) => changeNextMeter()) }
        await fleet.start(ofDeaths, under)
        await load
        for (let left = ofDeaths.between(1, deathsMax); left > 0; left--) await fleet.disturb(ofDeaths, under)
        await fleet.ready()
      },
      end: fleet.end,
      verify: () => runTollgate(['verify'], { ...env, TOLLGATE_LOG_LEVEL: 'warn' }),
    })
    return { ...verdict, deaths, tookMs: performance.now() - startedMs }
  } finally {
    await fleet.end('SIGKILL')
  }
}

async function placeOf(
  { directory }: DistributedCrashRunOptions,
  env: Readonly<Record<string, string>>,
  role: FleetRole,
  index: number,
): Promise<{ readonly role: FleetRole; readonly place: ServerPlace }> {
  return {
    role,
    place: {
      dataDir: join(directory, `${role}-${index}`),
      logFile: join(directory, `${role}-${index}.log`),
      port: await freePort(),
      adminKey: ADMIN_KEY,
      env: { ...env, TOLLGATE_ROLES: rolesOf(role) },
    },
  }
}

/** As behind a load balancer that does not know who is dead. */
function turnsOf(urls: readonly string[]): () => string {
  let turn = 0
  return () => {
    const url = urls[turn++ % urls.length]
    if (url === undefined) throw new Error('there is a process of each role')
    return url
  }
}
