import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type CrashRun, crashRun } from './crash-run.ts'
import { Difference } from './difference.ts'
import type { Death } from './killer.ts'

export type CrashSeedOptions = {
  readonly seed: number
  readonly seconds: number
  /** The run makes a directory of its own in it. */
  readonly base: string
  /** A data directory that was set up before; of some seeds the server is killed while it sets up one itself. */
  readonly template: string
  /** Keeps the directory of a run without a difference too. */
  readonly keep?: boolean
}

/** One run by its seed. Throws an error whose text is all that is needed to look into the first difference. */
export async function crashSeed({ seed, seconds, base, template, keep = false }: CrashSeedOptions): Promise<CrashRun> {
  const directory = await mkdtemp(join(base, `seed-${seed}-`))
  const deaths: Death[] = []
  try {
    const onDeath = (death: Death) => void deaths.push(death)
    const run = await crashRun({ seed, seconds, directory, template: isFirstStart(seed) ? null : template, onDeath })
    if (!keep) await rm(directory, { recursive: true, force: true })
    return run
  } catch (error) {
    throw new Error(failureText({ seed, seconds, directory, deaths }, error), { cause: error })
  }
}

/** Of so many runs one sets up its data directory itself, and is killed while it does. */
const RUNS_PER_FIRST_START = 4

function isFirstStart(seed: number): boolean {
  return seed % RUNS_PER_FIRST_START === 0
}

type Failure = { readonly seed: number; readonly seconds: number; readonly directory: string; readonly deaths: readonly Death[] }

function failureText({ seed, seconds, directory, deaths }: Failure, error: unknown): string {
  const where = error instanceof Error && !(error instanceof Difference) ? error.stack : String(error)
  return [
    `seed ${seed}  FAILED`,
    `  first difference: ${where}`,
    '  the way to it:',
    ...deaths.map(
      ({ during, loadMs, afterMs }, life) => `    life ${life + 1}: killed in ${during}, ${loadMs} ms of load and ${afterMs} ms after`,
    ),
    `    life ${deaths.length + 1}: the last`,
    `  data directory and server.log: ${directory}`,
    `  again: npm run test:crash -- --runs 1 --seed ${seed} --seconds ${seconds}`,
    '  A seed repeats what is sent and when the server is killed; what the machine does meanwhile it does not: try it some times.',
  ].join('\n')
}
