import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type CrashRun, crashRun } from './crash-run.ts'
import { createTemplate } from './template.ts'

/** `npm run test:crash -- --runs 200 --seed 1 --seconds 3`: one line per run; stops at the first difference with exit code 1. */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    seconds: { type: 'string', default: '3' },
    keep: { type: 'boolean', default: false },
  },
})
const [runs, firstSeed, seconds] = [values.runs, values.seed, values.seconds].map(Number)
if (runs === undefined || firstSeed === undefined || seconds === undefined || Number.isNaN(runs + firstSeed + seconds)) {
  throw new Error('--runs, --seed and --seconds are numbers')
}

/** Of so many runs one sets up its data directory itself, and is killed while it does. */
const RUNS_PER_FIRST_START = 4

const base = await mkdtemp(join(tmpdir(), 'tollgate-crash-'))
const template = runs > 1 || firstSeed % RUNS_PER_FIRST_START !== 0 ? await createTemplate(base) : null
const startedMs = performance.now()
const totals = { deaths: 0, events: 0, repeats: 0, late: 0, reservations: 0, decisions: 0, windows: 0, balances: 0, invoices: 0 }
for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
  const directory = await mkdtemp(join(base, `seed-${seed}-`))
  try {
    const run = await crashRun({ seed, seconds, directory, template: seed % RUNS_PER_FIRST_START === 0 ? null : template })
    console.log(lineOf(seed, run))
    count(run)
    if (!values.keep) await rm(directory, { recursive: true, force: true })
  } catch (error) {
    console.log(`seed ${seed}  FAILED`)
    console.log(`  first difference: ${error instanceof Error ? error.message : String(error)}`)
    if (error instanceof Error && error.name !== 'Difference') console.log(error.stack)
    console.log(`  data directory and server.log: ${directory}`)
    console.log(`  again: npm run test:crash -- --runs 1 --seed ${seed} --seconds ${seconds}`)
    process.exit(1)
  }
}
const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1)
console.log(`${runs} runs without a difference in ${minutes} min: ${JSON.stringify(totals)}`)
await rm(base, { recursive: true, force: true })
process.exit(0)

function lineOf(seed: number, { deaths, load, compared, retries, tookMs }: CrashRun): string {
  const killed = [...Map.groupBy(deaths, (during) => during)].map(([during, times]) => `${times.length} in ${during}`).join(', ')
  const { events, repeats, late, reservations, refusals, decisions } = load
  const sent = `${events} events, ${repeats} repeats, ${late} late, ${reservations} reservations (${refusals} refused), ${decisions} decisions, ${retries} retries`
  const same = `${compared.windows} windows, ${compared.balances} balances, ${compared.invoices} invoices equal`
  return `seed ${seed}  ok  killed ${deaths.length} (${killed})  ${sent}  ${same}  ${(tookMs / 1_000).toFixed(1)} s`
}

function count({ deaths, load, compared }: CrashRun): void {
  totals.deaths += deaths.length
  for (const name of ['events', 'repeats', 'late', 'reservations', 'decisions'] as const) totals[name] += load[name]
  for (const name of ['windows', 'balances', 'invoices'] as const) totals[name] += compared[name]
}
