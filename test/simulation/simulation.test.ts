import { expect, test, vi } from 'vitest'
import { MUTANTS, type MutantName, switchOff } from './mutants.ts'
import { type SimulationResult, simulate } from './simulate.ts'

vi.mock('node:timers/promises', async () => ({
  setTimeout: (await import('./virtual-timers.ts')).delay,
  setImmediate: async () => undefined,
}))

vi.mock('../../adapters/counters/embedded/counter-file.ts', async () => ({
  openCounterFile: (await import('./counters-model.ts')).openDiskInMemory,
}))

vi.mock('../../adapters/counters/embedded/counter-table.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../adapters/counters/embedded/counter-table.ts')>()
  const { isPositionUnchecked } = await import('./counters-model.ts')
  return {
    ...original,
    CounterTable: class extends original.CounterTable {
      override position(...args: Parameters<InstanceType<typeof original.CounterTable>['position']>) {
        return isPositionUnchecked() ? (0 as ReturnType<InstanceType<typeof original.CounterTable>['position']>) : super.position(...args)
      }
    },
  }
})

vi.mock('../../aggregator/partition/resume-point.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../aggregator/partition/resume-point.ts')>()
  const { isSwitchedOff } = await import('./mutants.ts')
  return {
    ...original,
    resumePoint(...args: Parameters<typeof original.resumePoint>) {
      const point = original.resumePoint(...args)
      if (!isSwitchedOff('chunk restart')) return point
      const { storedNext, countersNext } = args[1]
      return { chunkStart: storedNext, from: storedNext, resetsCounters: countersNext < storedNext }
    },
  }
})

vi.mock('../../aggregator/dedupe/deduplicator.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../aggregator/dedupe/deduplicator.ts')>()
  const { isSwitchedOff } = await import('./mutants.ts')
  return {
    ...original,
    createDeduplicator(...[usageStore, filter, isComplete]: Parameters<typeof original.createDeduplicator>) {
      return original.createDeduplicator(usageStore, filter, isSwitchedOff('filter that is not back') ? () => true : isComplete)
    },
  }
})

vi.mock('../../aggregator/tracking/customer-tracking.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../aggregator/tracking/customer-tracking.ts')>()
  const { isSwitchedOff } = await import('./mutants.ts')
  return {
    ...original,
    createCustomerTracking(...[deps, fold]: Parameters<typeof original.createCustomerTracking>) {
      const trackableFrom = isSwitchedOff('tracking only after catch-up') ? (0 as typeof fold.trackableFrom) : fold.trackableFrom
      return original.createCustomerTracking(deps, { ...fold, trackableFrom })
    },
  }
})

const STEPS = Number(process.env.SIMULATION_STEPS ?? 100_000)
const SEED = process.env.SIMULATION_SEED === undefined ? null : Number(process.env.SIMULATION_SEED)
const FIRST_SEED = 1
const STEPS_PER_RUN = 3_000

test(`${STEPS.toLocaleString('en')} steps of crashes, repeats and hand-overs end as the obvious model says`, {
  timeout: 300_000,
}, async () => {
  switchOff(null)
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

test.each(Object.keys(MUTANTS) as MutantName[])('is caught when switched off: %s', { timeout: 300_000 }, async (name) => {
  switchOff(name)
  let steps = 0
  try {
    for (let seed = FIRST_SEED; steps < STEPS; seed++) {
      const result = await simulate({ seed, stepsMax: STEPS_PER_RUN })
      steps += result.steps
      if (result.failure === null) continue
      console.log(`caught after ${steps} steps (seed ${seed}): ${name}: ${result.failure}`)
      return
    }
  } finally {
    switchOff(null)
  }
  expect.fail(`The simulation does not notice within ${steps} steps that ${MUTANTS[name]}.`)
})

test('the same seed goes the same way', async () => {
  const [first, second] = [await simulate({ seed: 7, stepsMax: 1_500 }), await simulate({ seed: 7, stepsMax: 1_500 })]
  expect(second).toEqual(first)
})

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
