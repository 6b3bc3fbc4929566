import { simulate } from './simulate.ts'

/** Runs one seed after the other until one fails, and prints the result as JSON; `mutate.ts` is loaded before it. */
const [stepsMax = 0, stepsPerRun = 0] = process.argv.slice(2).map(Number)
let steps = 0
let failure: string | null = null
let seed = 0
while (failure === null && steps < stepsMax) {
  seed++
  const result = await simulate({ seed, stepsMax: stepsPerRun })
  steps += result.steps
  failure = result.failure
}
console.log(JSON.stringify({ steps, seed, failure }))
