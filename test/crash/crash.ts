import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openDevServers } from '../support/servers/distributed-stack.ts'
import { type CrashedRun, type CrashSeedOptions, crashSeed } from './crash-seed.ts'
import { createTemplate } from './template.ts'

/**
 * `npm run test:crash -- --runs 200 --seed 1 --deaths 3 --parallel 3`: one line per run. After a difference no more runs begin,
 * unless `--go-on` is given, and the exit code is 1. `--distributed` runs the roles apart on real servers.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    deaths: { type: 'string', default: '3' },
    parallel: { type: 'string', default: '3' },
    distributed: { type: 'boolean', default: false },
    'go-on': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
})
const runs = wholeNumber('runs')
const firstSeed = wholeNumber('seed')
const deathsMax = wholeNumber('deaths')

const base = await mkdtemp(join(tmpdir(), 'tollgate-crash-'))
const { on, close } = values.distributed ? await openServers() : await openTemplate()
const startedMs = performance.now()
const totals = {
  ...{ runs: 0, deaths: 0, events: 0, repeats: 0, late: 0, reservations: 0, refusals: 0, decisions: 0, uncertain: 0 },
  ...{ retries: 0, windows: 0, balances: 0, invoices: 0 },
}
const killedIn: Record<string, number> = {}
const failedSeeds: number[] = []
const seedsLeft = Array.from({ length: runs }, (_, index) => firstSeed + index)

await Promise.all(Array.from({ length: wholeNumber('parallel') }, runSeeds))
await close()
const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1)
if (failedSeeds.length > 0) {
  console.log(`${failedSeeds.length} runs with a difference (seeds ${failedSeeds.join(', ')}), ${totals.runs} without, in ${minutes} min`)
  process.exit(1)
}
console.log(`${totals.runs} runs without a difference in ${minutes} min: ${JSON.stringify({ ...totals, killedIn })}`)
if (!values.keep) await rm(base, { recursive: true, force: true })
process.exit(0)

function wholeNumber(name: 'runs' | 'seed' | 'deaths' | 'parallel'): number {
  const value = values[name]
  if (!/^\d+$/.test(value) || (name !== 'seed' && value === '0')) throw new Error(`--${name} is a whole number, was '${value}'`)
  return Number(value)
}

type Ground = { readonly on: CrashSeedOptions['on']; close(): Promise<void> }

async function openTemplate(): Promise<Ground> {
  return { on: { template: await createTemplate() }, close: async () => undefined }
}

async function openServers(): Promise<Ground> {
  const servers = await openDevServers()
  return {
    on: { servers },
    async close() {
      for (const server of servers) await server.discard()
    },
  }
}

async function runSeeds(): Promise<void> {
  while (failedSeeds.length === 0 || values['go-on']) {
    const seed = seedsLeft.shift()
    if (seed === undefined) return
    try {
      const run = await crashSeed({ seed, deathsMax, base, on, keep: values.keep })
      console.log(lineOf(seed, run))
      count(run)
    } catch (error) {
      console.log(error instanceof Error ? error.message : String(error))
      failedSeeds.push(seed)
    }
  }
}

function lineOf(seed: number, { deaths, load, compared, retries, tookMs }: CrashedRun): string {
  const killed = [...Map.groupBy(deaths, momentOf)].map(([moment, times]) => `${times.length} in ${moment}`).join(', ')
  const { events, repeats, late, reservations, refusals, decisions, uncertain } = load
  const sent = `${events} events, ${repeats} repeats, ${late} late, ${reservations} reservations (${refusals} refused), ${decisions} decisions (${uncertain} uncertain), ${retries} retries`
  const same = `${compared.windows} windows, ${compared.balances} balances, ${compared.invoices} invoices equal`
  return `seed ${seed}  ok  killed ${deaths.length} (${killed})  ${sent}  ${same}  ${(tookMs / 1_000).toFixed(1)} s`
}

function count({ deaths, load, compared, retries }: CrashedRun): void {
  totals.runs++
  totals.deaths += deaths.length
  totals.retries += retries
  for (const name of ['events', 'repeats', 'late', 'reservations', 'refusals', 'decisions', 'uncertain'] as const)
    totals[name] += load[name]
  for (const name of ['windows', 'balances', 'invoices'] as const) totals[name] += compared[name]
  for (const death of deaths) killedIn[momentOf(death)] = (killedIn[momentOf(death)] ?? 0) + 1
}

function momentOf({ who, during }: CrashedRun['deaths'][number]): string {
  return who === undefined ? during : `${during} of ${who.split(' ')[0]}`
}
