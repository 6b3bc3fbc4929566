import { fork } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { type PartResult, readBenchResults, writeBenchResults } from './bench-results.ts'
import { figureTable } from './figure-table.ts'
import { describeMachine } from './machine.ts'
import { withTables } from './markdown-tables.ts'
import type { BenchOptions, Figure } from './part.ts'
import { PARTS } from './parts.ts'

/** `npm run bench [part …]`: measures, prints a table and writes a JSON file with machine, versions and commit. */
const command = new Command('bench')
  .description(
    `Measures Tollgate on its embedded stores.\n\nParts:\n${PARTS.map(({ name, about }) => `  ${name.padEnd(11)} ${about}`).join('\n')}`,
  )
  .argument('[parts...]', 'parts to run; all when none is named')
  .option('--quick', 'smaller and shorter: to see that it runs, not to publish', false)
  .option('--large', 'adds the sizes that take many minutes', false)
  .option('--events <number>', 'the most stored events for stored and rating', Number)
  .option('--cpu-prof <dir>', 'the server writes CPU profiles there')
  .option('--json <file>', 'where the JSON goes; by default under bench/results/')
  .option('--markdown <files...>', 'measures nothing: puts the tables of these JSON files into docs/performance.md and README.md')
  .action((names: readonly string[], flags: Flags) => (flags.markdown === undefined ? runBench(names, flags) : writeTables(flags.markdown)))

type Flags = { quick: boolean; large: boolean; events?: number; cpuProf?: string; json?: string; markdown?: readonly string[] }

async function runBench(names: readonly string[], flags: Flags): Promise<void> {
  const unknown = names.filter((name) => !PARTS.some((part) => part.name === name))
  if (unknown.length > 0) command.error(`No part is named ${unknown.join(', ')}. There are: ${PARTS.map(({ name }) => name).join(', ')}.`)
  const startedAt = new Date()
  const loadBefore = loadavg()[0] ?? 0
  const options = { isQuick: flags.quick, isLarge: flags.large, events: flags.events ?? null, cpuProfileDir: flags.cpuProf ?? null }
  const chosen = names.length === 0 ? PARTS : PARTS.filter(({ name }) => names.includes(name))
  const results: PartResult[] = []
  for (const { name } of chosen) {
    console.error(`\n${name}`)
    const result = await runInItsOwnProcess(name, options)
    results.push(result)
    console.log(`\n${name} (${result.tookSeconds} s)\n${result.failure ?? figureTable(result.figures)}`)
  }
  const machine = describeMachine(startedAt, loadBefore)
  const file = flags.json ?? join(import.meta.dirname, 'results', `${startedAt.toISOString().replaceAll(':', '-')}.json`)
  await writeBenchResults(file, { machine, options, parts: results })
  const { cpu, cores, node, commit } = machine
  console.log(`\n${cpu}, ${cores} cores, load ${loadBefore.toFixed(1)} before; Node ${node}; commit ${commit.slice(0, 7)}\n${file}`)
  if (results.some(({ failure }) => failure !== null)) process.exitCode = 1
}

async function writeTables(files: readonly string[]): Promise<void> {
  const runs = await Promise.all(files.map(readBenchResults))
  for (const page of ['docs/performance.md', 'README.md']) {
    const path = join(import.meta.dirname, '..', page)
    await writeFile(path, withTables(await readFile(path, 'utf8'), runs))
  }
}

/** Each part has its own heap and compiled code, so that it cannot slow down or speed up the next. */
function runInItsOwnProcess(part: string, options: BenchOptions): Promise<PartResult> {
  const startedMs = performance.now()
  return new Promise((resolve) => {
    let figures: readonly Figure[] = []
    let failure: string | null = 'the part ended without a result'
    const child = fork(join(import.meta.dirname, 'part-process.ts'), [part, JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    child.on('message', (message: { figures: readonly Figure[] } | { failure: string }) => {
      failure = 'failure' in message ? message.failure : null
      if ('figures' in message) figures = message.figures
    })
    child.once('exit', () => resolve({ part, figures, failure, tookSeconds: Math.round((performance.now() - startedMs) / 1_000) }))
  })
}

await command.parseAsync()
