import { setTimeout as delay } from 'node:timers/promises'
import type { SeededRandom } from '../support/seeded-random.ts'
import { Difference } from './difference.ts'
import { type Exit, type ServerLife, type ServerPlace, startServerLife } from './server-life.ts'

/** The moment when a life ends. */
export type Death = {
  readonly during: FirstMoment | 'set-up' | 'start' | 'load' | 'flush' | 'write of counters' | 'backfill' | 'stop'
  /** Requests answered before; not a time, so that a slow machine does not make a run small. */
  readonly answers: number
  /** Counted from there, or from the log line of the moment. */
  readonly afterMs: number
}

/** Moments of a server on an empty directory. */
type FirstMoment = 'first start' | 'migration of the catalog' | 'migration of the usage store'

/** Log lines that show which moment the server is in. */
const MOMENTS: Readonly<Partial<Record<Death['during'], RegExp>>> = {
  'migration of the catalog': /opened the embedded catalog/,
  'migration of the usage store': /migrated the catalog/,
  flush: /"msg":"flush begun"/,
  'write of counters': /"msg":"write of counters begun"/,
}
const ONLY_STARTING: readonly Death['during'][] = ['first start', 'migration of the catalog', 'migration of the usage store', 'start']

/** The next death of a server under load. */
export function drawDeath(random: SeededRandom): Death {
  const during = random.pick(['start', 'load', 'load', 'load', 'flush', 'flush', 'write of counters', 'backfill', 'stop'] as const)
  const answers = random.between(10, 250)
  switch (during) {
    case 'start':
      return { during, answers: 0, afterMs: random.between(0, 1_800) }
    case 'flush':
      return { during, answers, afterMs: random.below(25) }
    case 'write of counters':
      return { during, answers, afterMs: random.below(6) }
    case 'backfill':
      return { during, answers, afterMs: random.below(120) }
    case 'stop':
      return { during, answers, afterMs: random.below(400) }
    case 'load':
      return { during, answers, afterMs: 0 }
  }
}

/** The death of a server that has received nothing yet. */
export function drawFirstDeath(random: SeededRandom, isNew: boolean): Death {
  if (!isNew) return { during: 'set-up', answers: 0, afterMs: random.between(0, 600) }
  const during = random.pick(['first start', 'migration of the catalog', 'migration of the usage store'] as const)
  return { during, answers: 0, afterMs: random.below(during === 'first start' ? 5_000 : 400) }
}

export type UnderLoad = {
  /** Resolves when requests are being sent. */
  readonly begun: Promise<unknown>
  /** Answers so far. */
  answers(): number
  /** Has a meter made over events that exist already. */
  startBackfill(): void
}

/** Starts a server and kills it; resolves when the process is gone. Throws when it ends by itself or does not get ready. */
export async function liveAndDie(place: ServerPlace, death: Death, load: UnderLoad): Promise<void> {
  await die(startServerLife(place), death, load)
}

export async function die(life: ServerLife, death: Death, load: UnderLoad): Promise<void> {
  const isReadyNeeded = !ONLY_STARTING.includes(death.during)
  if (isReadyNeeded) await untilReady(life)
  if (isReadyNeeded && death.during !== 'set-up') {
    await Promise.race([load.begun, life.exited])
    await answered(life, load, death.answers)
  }
  if (death.during === 'backfill') load.startBackfill()
  const early = await Promise.race([life.exited, momentOf(life, death).then(() => null)])
  const hasStopped = death.during === 'stop' && early?.code === 0
  if (early !== null && !hasStopped) throw endedByItself(life, early)
  life.kill('SIGKILL')
  await life.exited
}

export async function untilReady(life: ServerLife): Promise<void> {
  const ready = await Promise.race([life.ready, delay(READY_WITHIN_MS, 'late' as const, { ref: false })])
  if (ready === 'late') life.kill('SIGKILL')
  if (ready === true) return
  throw ready === 'late'
    ? new Difference('start', `ready within ${READY_WITHIN_MS} ms`, life.output())
    : endedByItself(life, await life.exited)
}

/** Also ends when the life is over, or when no more answers come because every sender has sent all of its own. */
async function answered(life: ServerLife, { answers }: UnderLoad, wanted: number): Promise<void> {
  const from = answers()
  const deadlineMs = performance.now() + ANSWERED_WITHIN_MS
  const isOver = life.exited.then(() => true)
  while (answers() < from + wanted && performance.now() < deadlineMs) {
    if (await Promise.race([isOver, delay(POLL_MS, false)])) return
  }
}

const ANSWERED_WITHIN_MS = 8_000
const POLL_MS = 2

const READY_WITHIN_MS = 180_000
/** A moment that never comes, as when nothing is left to flush, is replaced by any other. */
const MOMENT_WITHIN_MS = 1_500

async function momentOf(life: ServerLife, { during, afterMs }: Death): Promise<void> {
  if (during === 'stop') life.kill('SIGTERM')
  const line = MOMENTS[during]
  if (line !== undefined) {
    const boundMs = ONLY_STARTING.includes(during) ? READY_WITHIN_MS : MOMENT_WITHIN_MS
    await Promise.race([life.seen(line), delay(boundMs, undefined, { ref: false })])
  }
  await delay(afterMs)
}

function endedByItself(life: ServerLife, { code, signal }: Exit): Difference {
  return new Difference('server', 'it runs until it is killed', `it ended with ${signal ?? code}:\n${life.output()}`)
}
