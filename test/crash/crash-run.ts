import { cp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { runTollgate } from '../support/tollgate-process.ts'
import { type Compared, compare } from './comparison.ts'
import { Difference } from './difference.ts'
import { freePort } from './free-port.ts'
import { createHoldRecords } from './hold-record.ts'
import { type Death, drawDeath, drawFirstDeath, liveAndDie, untilReady } from './killer.ts'
import { createLedger } from './ledger.ts'
import { type LoadCounts, startLoad } from './load.ts'
import { createRetryingClient, type RetryingClient } from './retrying-client.ts'
import { createSeededRandom } from './seeded-random.ts'
import { type ServerPlace, startServerLife } from './server-life.ts'
import { createWorld, setUpWorld } from './world.ts'

export type CrashRunOptions = {
  readonly seed: number
  /** How long it goes on killing. */
  readonly seconds: number
  /** Empty; everything of the run is in it. */
  readonly directory: string
  /** A data directory that one start has set up and that nothing was sent to; null sets up a new one in this run. */
  readonly template: string | null
}

export type CrashRun = {
  readonly deaths: readonly Death['during'][]
  readonly load: LoadCounts
  readonly compared: Compared
  readonly retries: number
  readonly tookMs: number
}

/** Of load on the last life, so that reservations go on over the last restart too. */
const LAST_LOAD_MS = 500
const ADMIN_KEY = 'tg_crash_admin_key_0123456789abcdef'

/** One seed: load, deaths, the last start, the comparison, `tollgate verify`. Throws the first difference. */
export async function crashRun({ seed, seconds, directory, template }: CrashRunOptions): Promise<CrashRun> {
  const startedMs = performance.now()
  const random = createSeededRandom(seed)
  const place: ServerPlace = {
    dataDir: join(directory, 'data'),
    logFile: join(directory, 'server.log'),
    port: await freePort(),
    adminKey: ADMIN_KEY,
    // Short flushes, so that many of them meet a death; and the lines that deaths are timed by.
    env: { TOLLGATE_FLUSH_INTERVAL_MS: String(random.pick([20, 100, 400])), TOLLGATE_LOG_LEVEL: 'debug' },
  }
  if (template !== null) await cp(template, place.dataDir, { recursive: true })
  const client = createRetryingClient(`http://127.0.0.1:${place.port}`, ADMIN_KEY)
  const nowMs = Date.now()
  const world = createWorld(random.fork('world'), nowMs)
  const ledger = createLedger()
  const holds = createHoldRecords()
  const deaths: Death['during'][] = []

  // The catalog is set up by whatever lives serve the requests for it; the load begins after that.
  const load = setUpWorld(client, world).then(() =>
    startLoad({ client, ledger, holds, world, random: random.fork('load'), startedAtMs: nowMs }),
  )
  load.catch(() => undefined)
  await Promise.race([load.then(({ failed }) => failed), killUntilEnough()])
  const last = startServerLife(place)
  await untilReady(last)
  const { end } = await load
  await delay(LAST_LOAD_MS)
  const counts = await end()
  await untilAllIsCounted(client)
  const compared = await compare({ client, ledger, holds, world })
  last.kill(random.pick(['SIGKILL', 'SIGTERM'] as const))
  await last.exited
  await verify(place)
  return { deaths, load: counts, compared, retries: client.retries(), tookMs: performance.now() - startedMs }

  async function killUntilEnough(): Promise<void> {
    const dying = random.fork('deaths')
    if (template === null || dying.chance(0.2)) await die(drawFirstDeath(dying, template === null))
    let begunMs = Number.POSITIVE_INFINITY
    void load.then(() => {
      begunMs = performance.now()
    })
    while (performance.now() - begunMs < seconds * 1_000 || begunMs === Number.POSITIVE_INFINITY) await die(drawDeath(dying))
  }

  async function die(death: Death): Promise<void> {
    deaths.push(death.during)
    await liveAndDie(place, death, { begun: load, startBackfill: () => void load.then(({ changeNextMeter }) => changeNextMeter()) })
  }
}

type UsageAsOf = { readonly asOf: string }

/** The server's own word for it: usage is complete up to `asOf`, and the aggregator is at the end of the log. */
async function untilAllIsCounted(client: RetryingClient): Promise<void> {
  const sentMs = Date.now()
  await client.until(async () => {
    const { asOf } = await client.expect<UsageAsOf>('GET', '/v1/meters/requests/usage', undefined, [200])
    const { body } = await client.send('GET', '/readyz')
    return Date.parse(asOf) >= sentMs && (body as { aggregator: { lagRecords: number } }).aggregator.lagRecords === 0
  })
}

async function verify({ dataDir }: ServerPlace): Promise<void> {
  const { code, output } = await runTollgate(['verify'], { TOLLGATE_DATA_DIR: dataDir })
  if (code !== 0) throw new Difference('tollgate verify', 'exit code 0', `${code}:\n${output}`)
  const undecodable = await readdir(join(dataDir, 'undecodable')).catch(() => [])
  if (undecodable.length > 0) throw new Difference('undecodable records', 'none', undecodable)
}
