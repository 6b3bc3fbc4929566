import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { crashSeed } from './crash-seed.ts'
import { Difference } from './difference.ts'
import { CRASH_MUTANTS } from './mutants.ts'
import { createTemplate } from './template.ts'

/** `npm run test:crash:mutants`: crash runs of servers with a mutant, until a run finds it; exit code 1 when none does. */
const { values } = parseArgs({ options: { runs: { type: 'string', default: '12' }, mutant: { type: 'string' } } })
const runsMax = Number(values.runs)
const names = values.mutant === undefined ? Object.keys(CRASH_MUTANTS) : [values.mutant]
const DEATHS_MAX = 4

const base = await mkdtemp(join(tmpdir(), 'tollgate-crash-mutants-'))
const template = await createTemplate()
let survivors = 0
for (const mutant of names) {
  const found = await firstDifference(mutant)
  if (found === null) survivors++
  console.log(
    found === null ? `mutant '${mutant}'  NOT FOUND in ${runsMax} runs` : `mutant '${mutant}'  found by seed ${found.seed}: ${found.text}`,
  )
}
await rm(base, { recursive: true, force: true })
process.exit(survivors === 0 ? 0 : 1)

async function firstDifference(mutant: string): Promise<{ readonly seed: number; readonly text: string } | null> {
  for (let seed = 1; seed <= runsMax; seed++) {
    try {
      await crashSeed({ seed, deathsMax: DEATHS_MAX, base, on: { template, mutant } })
    } catch (error) {
      const cause = error instanceof Error ? error.cause : error
      // Any other error is a failure of the run, and no proof.
      if (!(cause instanceof Difference)) throw error
      return { seed, text: cause.message }
    }
  }
  return null
}
