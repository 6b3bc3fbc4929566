import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { CrashRun } from './crash-run.ts'
import { crashSeed } from './crash-seed.ts'
import { createTemplate } from './template.ts'

/**
 * `npm run test:crash -- --runs 200 --seed 1 --seconds 3 --parallel 2`: one line per run. After a difference no more runs
 * are begun, unless `--go-on` is given, and the exit code is 1.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    seconds: { type: 'string', default: '3' },
    parallel: { type: 'string', default: '2' },
    'go-on': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
})
const [runs, firstSeed, parallel] = [values.runs, values.seed, values.parallel].map((value) => Number.parseInt(value, 10))
const seconds = Number(values.seconds)
if (!runs || !parallel || firstSeed === undefined || Number.isNaN(firstSeed + seconds)) {
  throw new Error('--runs, --seed, --seconds and --parallel are numbers')
}

const base = await mkdtemp(join(tmpdir(), 'tollgate-crash-'))
const template = await createTemplate(base)
const startedMs = performance.now()
const totals = { runs: 0, deaths: 0, events: 0, repeats: 0, late: 0, reservations: 0, decisions: 0, windows: 0, balances: 0, invoices: 0 }
const failedSeeds: number[] = []
const seedsLeft = Array.from({ length: runs }, (_, index) => firstSeed + index)

await Promise.all(Array.from({ length: parallel }, runSeeds))
const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1)
if (failedSeeds.length > 0) {
  console.log(`${failedSeeds.length} runs with a difference (seeds ${failedSeeds.join(', ')}), ${totals.runs} without, in ${minutes} min`)
  process.exit(1)
}
console.log(`${totals.runs} runs without a difference in ${minutes} min: ${JSON.stringify(totals)}`)
if (!values.keep) await rm(base, { recursive: true, force: true })
process.exit(0)

async function runSeeds(): Promise<void> {
  while (failedSeeds.length === 0 || values['go-on']) {
    const seed = seedsLeft.shift()
    if (seed === undefined) return
    try {
      const run = await crashSeed({ seed, seconds, base, template, keep: values.keep })
      console.log(lineOf(seed, run))
      count(run)
    } catch (error) {
      console.log(error instanceof Error ? error.message : String(error))
      failedSeeds.push(seed)
    }
  }
}

function lineOf(seed: number, { deaths, load, compared, retries, tookMs }: CrashRun): string {
  const killed = [...Map.groupBy(deaths, ({ during }) => during)].map(([during, times]) => `${times.length} in ${during}`).join(', ')
  const { events, repeats, late, reservations, refusals, decisions } = load
  const sent = `${events} events, ${repeats} repeats, ${late} late, ${reservations} reservations (${refusals} refused), ${decisions} decisions, ${retries} retries`
  const same = `${compared.windows} windows, ${compared.balances} balances, ${compared.invoices} invoices equal`
  return `seed ${seed}  ok  killed ${deaths.length} (${killed})  ${sent}  ${same}  ${(tookMs / 1_000).toFixed(1)} s`
}

function count({ deaths, load, compared }: CrashRun): void {
  totals.runs++
  totals.deaths += deaths.length
  for (const name of ['events', 'repeats', 'late', 'reservations', 'decisions'] as const) totals[name] += load[name]
  for (const name of ['windows', 'balances', 'invoices'] as const) totals[name] += compared[name]
}
