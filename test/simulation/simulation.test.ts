import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { inLongRun } from '../support/long-run.ts'
import { MUTANTS, type MutantName } from './mutants.ts'
import { type SimulationResult, simulate } from './simulate.ts'

const STEPS = Number(process.env.SIMULATION_STEPS ?? inLongRun(100_000, 20_000))
const SEED = process.env.SIMULATION_SEED === undefined ? null : Number(process.env.SIMULATION_SEED)
const FIRST_SEED = 1
const STEPS_PER_RUN = 3_000
/** Some mutants need a rare coincidence; most are caught in the first run. */
const MUTANT_STEPS = 300_000

test(`${STEPS.toLocaleString('en')} steps of crashes, repeats and hand-overs end as the obvious model says`, {
  timeout: 900_000,
}, async () => {
  let steps = 0
  let records = 0
  let quietPoints = 0
  for (let seed = SEED ?? FIRST_SEED; steps < STEPS; seed++) {
    const stepsMax = SEED === null ? STEPS_PER_RUN : STEPS
    const result = await simulate({ seed, stepsMax })
    if (result.failure !== null) throw new Error(await failureText(seed, stepsMax, result))
    steps += result.steps
    records += result.records
    quietPoints += result.quietPoints
  }
  console.log(`simulated ${steps} steps, ${records} records, compared at ${quietPoints} quiet points`)
})

test.each(Object.keys(MUTANTS) as MutantName[])('is caught when switched off: %s', { timeout: 900_000 }, async (name) => {
  const { steps, seed, failure } = await runMutant(name)
  if (failure === null) expect.fail(`The simulation does not notice within ${steps} steps that ${MUTANTS[name].what}.`)
  console.log(`caught after ${steps} steps (seed ${seed}): ${name}: ${failure}`)
})

test('the same seed goes the same way', async () => {
  const [first, second] = [await simulate({ seed: 7, stepsMax: 1_500 }), await simulate({ seed: 7, stepsMax: 1_500 })]
  expect(second).toEqual(first)
})

/** Runs in its own process, whose source is changed as it is loaded. */
async function runMutant(name: MutantName): Promise<{ readonly steps: number; readonly seed: number; readonly failure: string | null }> {
  const path = (file: string) => new URL(file, import.meta.url).pathname
  const args = ['--import', path('mutate.ts'), path('mutant-run.ts'), String(MUTANT_STEPS), String(STEPS_PER_RUN)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, SIMULATION_MUTANT: name } })
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
}

/** Looks for a shorter run that fails too: the same beginning, and then a quiet point. */
async function failureText(seed: number, stepsMax: number, failed: SimulationResult): Promise<string> {
  let shortest = { stepsMax, ...failed }
  for (const part of [0.75, 0.5, 0.5, 0.5, 0.75, 0.9]) {
    const fewer = Math.max(1, Math.floor(shortest.stepsMax * part))
    const result = await simulate({ seed, stepsMax: fewer })
    if (result.failure !== null) shortest = { stepsMax: fewer, ...result }
  }
  return `Seed ${seed} fails after ${shortest.steps} steps: ${shortest.failure}
Again: SIMULATION_SEED=${seed} SIMULATION_STEPS=${shortest.stepsMax} npx vitest run --project simulation -t steps`
}
