import { cp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { runTollgate } from '../support/tollgate-process.ts'
import { type Compared, compare } from './comparison.ts'
import { Difference } from './difference.ts'
import { freePort } from './free-port.ts'
import { createHoldRecords } from './hold-record.ts'
import { createLedger } from './ledger.ts'
import { type Load, type LoadCounts, startLoad } from './load.ts'
import { createRetryingClient, type RetryingClient } from './retrying-client.ts'
import { createSeededRandom, type SeededRandom } from './seeded-random.ts'
import type { ServerLife, ServerPlace } from './server-life.ts'
import { createWorld, setUpWorld } from './world.ts'

export type JudgedRunOptions = {
  readonly seed: number
  /** Empty; everything of the run is in it. */
  readonly directory: string
  /** A data directory that one start has set up and that nothing was sent to; null sets up a new one in this run. */
  readonly template: string | null
  /** Where the data are, when not in `directory`. */
  readonly dataDir?: string
  readonly disturb: Disturb
}

/** What happens to the server while requests are sent to it. Ends with a life that goes on and is well. */
export type Disturb = (run: {
  readonly place: ServerPlace
  readonly random: SeededRandom
  /** Resolves when the catalog is set up and requests are being sent. */
  readonly load: Promise<Load>
}) => Promise<ServerLife>

export type JudgedRun = { readonly load: LoadCounts; readonly compared: Compared; readonly retries: number }

/** Of load on the last life, so that what is under way then goes on over the last disturbance too. */
const LAST_LOAD_MS = 500
/** Chunks so short that a run has many, in every partition. */
export const CRASH_ENV = { TOLLGATE_CHUNK_RECORDS: '8' } as const
const ADMIN_KEY = 'tg_crash_admin_key_0123456789abcdef'

/** Load, disturbance, comparison with the sender's own record, `tollgate verify`. Throws the first difference. */
export async function judgedRun({ seed, directory, template, dataDir, disturb }: JudgedRunOptions): Promise<JudgedRun> {
  const random = createSeededRandom(seed)
  const place: ServerPlace = {
    dataDir: dataDir ?? join(directory, 'data'),
    logFile: join(directory, 'server.log'),
    port: await freePort(),
    adminKey: ADMIN_KEY,
    // Short flushes, so that many of them are disturbed; and the lines that deaths are timed by.
    env: { ...CRASH_ENV, TOLLGATE_FLUSH_INTERVAL_MS: String(random.pick([20, 100, 400])), TOLLGATE_LOG_LEVEL: 'debug' },
  }
  if (template !== null) await cp(template, place.dataDir, { recursive: true })
  const client = createRetryingClient(`http://127.0.0.1:${place.port}`, ADMIN_KEY)
  const startedAtMs = Date.now()
  const world = createWorld(random.fork('world'), startedAtMs)
  const record = { ledger: createLedger(), holds: createHoldRecords(), world }

  // The catalog is set up by whatever lives serve the requests for it; the load begins after that.
  const load = setUpWorld(client, world).then(() => startLoad({ client, ...record, random: random.fork('load'), startedAtMs }))
  const failed = load.then((started) => started.failed)
  failed.catch(() => undefined)
  const last = await Promise.race([failed, disturb({ place, random: random.fork('disturbance'), load })])
  await Promise.race([failed, delay(LAST_LOAD_MS)])
  const counts = await (await load).end()
  await untilAllIsCounted(client)
  const compared = await compare({ client, ...record })
  last.kill(random.pick(['SIGKILL', 'SIGTERM'] as const))
  await last.exited
  await verify(place)
  return { load: counts, compared, retries: client.retries() }
}

/** The server's own word for it: usage is complete up to `asOf`, and the aggregator is at the end of the log. */
async function untilAllIsCounted(client: RetryingClient): Promise<void> {
  const sentMs = Date.now()
  await client.until(async () => {
    const { asOf } = await client.expect<{ asOf: string }>('GET', '/v1/meters/requests/usage', undefined, [200])
    const { body } = await client.send('GET', '/readyz')
    return Date.parse(asOf) >= sentMs && (body as { aggregator: { lagRecords: number } }).aggregator.lagRecords === 0
  })
}

async function verify({ dataDir, env }: ServerPlace): Promise<void> {
  const { code, output } = await runTollgate(['verify'], { ...env, TOLLGATE_LOG_LEVEL: 'warn', TOLLGATE_DATA_DIR: dataDir })
  if (code !== 0) throw new Difference('tollgate verify', 'exit code 0', `${code}:\n${output}`)
  const undecodable = await readdir(join(dataDir, 'undecodable')).catch(() => [])
  if (undecodable.length > 0) throw new Difference('undecodable records', 'none', undecodable)
}
