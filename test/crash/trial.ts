import { setTimeout as delay } from 'node:timers/promises'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { CommandResult } from '../support/servers/tollgate-process.ts'
import { type Compared, compare } from './comparison.ts'
import { Difference } from './difference.ts'
import { createHoldRecords } from './hold-record.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { type Load, type LoadCounts, startLoad } from './load.ts'
import type { RetryingClient } from './retrying-client.ts'
import { createWorld, setUpWorld } from './world.ts'

/** The servers under test, which serve the client's requests, and what happens to them. */
export type Trial = {
  readonly random: SeededRandom
  readonly client: RetryingClient
  /** URLs of every process that aggregates. */
  readonly aggregatorUrls: readonly string[]
  /** Resolves when all of them run and are well. */
  disturb(run: {
    readonly random: SeededRandom
    /** Resolves when the catalog is set up and requests are being sent. */
    readonly load: Promise<Load>
    /** Answers that the client has so far. */
    readonly answers: () => number
    /** For events that the disturbance sends itself. */
    readonly ledger: Ledger
  }): Promise<void>
  /** Ends every process. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
  /** Runs `tollgate verify` on the data left behind. */
  verify(): Promise<CommandResult>
}

export type Verdict = { readonly load: LoadCounts; readonly compared: Compared; readonly retries: number }

/** Load on the last lives, so that work under way goes on through the last disturbance too. */
const LAST_LOAD_MS = 500
export const ADMIN_KEY = 'tg_crash_admin_key_0123456789abcdef'
/** Chunks so short that a run has many, in every partition; and the log lines that deaths are timed by. */
export const CRASH_ENV = { TOLLGATE_CHUNK_RECORDS: '8', TOLLGATE_LOG_LEVEL: 'debug' } as const

/** Load, disturbance, comparison with the sender's own record, `tollgate verify`. Throws the first difference. */
export async function judge({ random, client, ...trial }: Trial): Promise<Verdict> {
  const startedAtMs = Date.now()
  const world = createWorld(random.fork('world'), startedAtMs)
  const record = { ledger: createLedger(), holds: createHoldRecords(), world }

  // The catalog is set up by whichever lives serve the requests for it; the load begins after that.
  const load = setUpWorld(client, world).then(() => startLoad({ client, ...record, random: random.fork('load'), startedAtMs }))
  const failed = load.then((started) => started.failed)
  failed.catch(() => undefined)
  await Promise.race([failed, trial.disturb({ random: random.fork('disturbance'), load, answers: client.answers, ledger: record.ledger })])
  await Promise.race([failed, delay(LAST_LOAD_MS)])
  const counts = await (await load).end()
  await untilAllIsCounted(client, trial.aggregatorUrls)
  const compared = await compare({ client, ...record })
  await trial.end(random.pick(['SIGKILL', 'SIGTERM'] as const))
  const { code, output } = await trial.verify()
  if (code !== 0) throw new Difference('tollgate verify', 'exit code 0', `${code}:\n${output}`)
  return { load: counts, compared, retries: client.retries() }
}

/** By the servers' own answers: usage is complete up to `asOf`, and the aggregators are at the end of the log. */
async function untilAllIsCounted(client: RetryingClient, aggregatorUrls: readonly string[]): Promise<void> {
  const sentMs = Date.now()
  await client.until(async () => {
    const { asOf } = await client.expect<{ asOf: string }>('GET', '/v1/meters/requests/usage', undefined, [200])
    const lags = await Promise.all(aggregatorUrls.map(lagOf))
    return Date.parse(asOf) >= sentMs && lags.every((lag) => lag === 0)
  })
}

type AggregatorReadiness = { readonly stages: { readonly aggregator?: { readonly details: { readonly lagRecords: number } } } }

/** Null when there is no answer. */
async function lagOf(url: string): Promise<number | null> {
  try {
    const { stages } = (await (
      await fetch(`${url}/readyz`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
    ).json()) as AggregatorReadiness
    return stages.aggregator?.details.lagRecords ?? null
  } catch {
    return null
  }
}
