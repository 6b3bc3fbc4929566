import { cpSync, mkdirSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createSeededRandom, type SeededRandom } from '../support/seeded-random.ts'
import { runTollgate } from '../support/servers/tollgate-process.ts'
import { Difference } from './difference.ts'
import { freePort } from './free-port.ts'
import type { Ledger } from './ledger.ts'
import type { Load } from './load.ts'
import { createRetryingClient } from './retrying-client.ts'
import type { ServerLife, ServerPlace } from './server-life.ts'
import { ADMIN_KEY, CRASH_ENV, judge, type Verdict } from './trial.ts'

export type JudgedRunOptions = {
  readonly seed: number
  /** Empty; all files of the run go here. */
  readonly directory: string
  /** A data directory that one start has set up and that has received nothing; null sets up a new one in this run. */
  readonly template: string | null
  /** The data directory, when it is not in `directory`. */
  readonly dataDir?: string
  /** One of CRASH_MUTANTS, which the server is started with. */
  readonly mutant?: string
  readonly disturb: Disturb
}

/** What happens to the server while requests are sent to it. Must end with a life that goes on and is well. */
export type Disturb = (run: {
  readonly place: ServerPlace
  readonly random: SeededRandom
  /** Resolves when the catalog is set up and requests are being sent. */
  readonly load: Promise<Load>
  /** Answers that the client has so far. */
  readonly answers: () => number
  /** For events that the disturbance sends itself. */
  readonly ledger: Ledger
}) => Promise<ServerLife>

/** One process on one directory, disturbed and judged. Throws the first difference. */
export async function judgedRun({ seed, directory, template, dataDir, mutant, disturb }: JudgedRunOptions): Promise<Verdict> {
  const random = createSeededRandom(seed)
  const place: ServerPlace = {
    dataDir: dataDir ?? join(directory, 'data'),
    logFile: join(directory, 'server.log'),
    port: await freePort(),
    adminKey: ADMIN_KEY,
    // Short flushes, so that many of them are disturbed.
    env: {
      ...CRASH_ENV,
      ...(mutant === undefined ? {} : { CRASH_MUTANT: mutant }),
      TOLLGATE_FLUSH_INTERVAL_MS: String(random.pick([40, 100, 400])),
    },
  }
  // For more than two thousand files the asynchronous copy takes a second of processor time, this one a tenth of it.
  if (template !== null) {
    // The copy of a directory has the mode of a new one, which others can open.
    mkdirSync(place.dataDir, { recursive: true, mode: 0o700 })
    cpSync(template, place.dataDir, { recursive: true })
  }
  const url = `http://127.0.0.1:${place.port}`
  let last: ServerLife | null = null
  const verdict = await judge({
    random,
    client: createRetryingClient(() => url, ADMIN_KEY),
    aggregatorUrls: [url],
    async disturb(run) {
      last = await disturb({ place, ...run })
    },
    async end(signal) {
      last?.kill(signal)
      await last?.exited
    },
    verify: () => runTollgate(['verify'], { ...place.env, TOLLGATE_LOG_LEVEL: 'warn', TOLLGATE_DATA_DIR: place.dataDir }),
  })
  const undecodable = await readdir(join(place.dataDir, 'undecodable')).catch(() => [])
  if (undecodable.length > 0) throw new Difference('undecodable records', 'none', undecodable)
  return verdict
}
