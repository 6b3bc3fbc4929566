import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DevServerForTest } from '../support/servers/dev-servers.ts'
import { openDistributedStack } from '../support/servers/distributed-stack.ts'
import { crashRun } from './crash-run.ts'
import { Difference } from './difference.ts'
import { distributedCrashRun } from './distributed-crash-run.ts'
import type { Death } from './killer.ts'
import type { Verdict } from './trial.ts'

export type CrashSeedOptions = {
  readonly seed: number
  /** Deaths under load; there may be more before it. */
  readonly deathsMax: number
  /** The run makes its own directory in this one. */
  readonly base: string
  /** Embedded: a prepared data directory; for some seeds the server is killed while it prepares one itself. */
  readonly on: { readonly template: string; readonly mutant?: string } | { readonly servers: readonly DevServerForTest[] }
  /** Keeps the directory of a run without a difference too. */
  readonly keep?: boolean
}
type NamedDeath = Death & { readonly who?: string }
export type CrashedRun = Verdict & { readonly deaths: readonly NamedDeath[]; readonly tookMs: number }

/** One run by its seed. The text of a thrown error is all that is needed to look into the first difference. */
export async function crashSeed(options: CrashSeedOptions): Promise<CrashedRun> {
  const { seed, base, keep = false } = options
  const directory = await mkdtemp(join(base, `seed-${seed}-`))
  const deaths: NamedDeath[] = []
  try {
    const run = await runOn(options, directory, (death) => void deaths.push(death))
    if (!keep) await rm(directory, { recursive: true, force: true })
    return run
  } catch (error) {
    throw new Error(failureText(options, { directory, deaths }, error), { cause: error })
  }
}

/** One run in this many sets up its data directory itself, and is killed during that. */
const RUNS_PER_FIRST_START = 4

async function runOn(
  { seed, deathsMax, on }: CrashSeedOptions,
  directory: string,
  onDeath: (death: NamedDeath) => void,
): Promise<CrashedRun> {
  if ('template' in on) {
    const template = seed % RUNS_PER_FIRST_START === 0 ? null : on.template
    return await crashRun({ seed, deathsMax, directory, template, onDeath, ...(on.mutant === undefined ? {} : { mutant: on.mutant }) })
  }
  const { stack, missing } = await openDistributedStack({ on: on.servers })
  if (stack === null) throw new Error(missing)
  try {
    return await distributedCrashRun({ seed, deathsMax, directory, stack, onDeath })
  } finally {
    await stack.discard()
  }
}

function failureText(
  { seed, deathsMax, on }: CrashSeedOptions,
  { directory, deaths }: { readonly directory: string; readonly deaths: readonly NamedDeath[] },
  error: unknown,
): string {
  const where = error instanceof Error && !(error instanceof Difference) ? error.stack : String(error)
  return [
    `seed ${seed}  FAILED`,
    `  first difference: ${where}`,
    '  the way to it:',
    ...deaths.map(
      ({ who = 'server', during, answers, afterMs }, index) =>
        `    ${index + 1}. ${who} killed in ${during}, after ${answers} answers and ${afterMs} ms`,
    ),
    `  data and logs: ${directory}`,
    `  again: npm run test:crash -- --runs 1 --seed ${seed} --deaths ${deathsMax}${'servers' in on ? ' --distributed' : ''}`,
    '  A seed repeats what is sent and when who is killed; what the machine does meanwhile it does not: try it some times.',
  ].join('\n')
}
