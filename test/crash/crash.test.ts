import { afterAll, beforeAll, test } from 'vitest'
import { inLongRun } from '../support/long-run.ts'
import { removeDirectory, temporaryDirectory } from '../support/servers/tollgate-process.ts'
import { crashSeed } from './crash-seed.ts'
import { createTemplate } from './template.ts'

/** One, as it takes some 15 seconds; `npm run test:crash -- --runs 200` runs many. */
const SEEDS = inLongRun([1, 2, 3, 4, 5, 6, 7, 8], [1])
const DEATHS_MAX = 3

let base: string
let template: string

beforeAll(async () => {
  base = await temporaryDirectory()
  template = await createTemplate()
})

afterAll(() => removeDirectory(base))

test.each(SEEDS)('killed and started again, seed %i: nothing is lost, nothing is doubled', async (seed) => {
  await crashSeed({ seed, deathsMax: DEATHS_MAX, base, on: { template } })
})
