import { parseArgs } from 'node:util'
import { type Counts, fuzzRun } from './fuzz-run.ts'

/** `npm run test:fuzz -- --requests 1000000 --seed 1`; `--from N` begins at that number of the seed. Exit code 1 when something is wrong. */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    requests: { type: 'string', default: '20000' },
    connections: { type: 'string', default: '64' },
    idle: { type: 'string', default: '2000' },
    slow: { type: 'string', default: '20' },
  },
})
const seed = wholeNumber(values.seed)

const PROGRESS_EVERY_REQUESTS = 10_000
const startedMs = performance.now()
const report = await fuzzRun({
  seed,
  from: wholeNumber(values.from),
  requests: wholeNumber(values.requests),
  connections: wholeNumber(values.connections),
  idle: wholeNumber(values.idle),
  slow: wholeNumber(values.slow),
  onFailure: (failure) => console.log(`${seconds()} s  ${failure}`),
  onProgress(sent, counts) {
    if (sent % PROGRESS_EVERY_REQUESTS === 0) console.log(`${seconds()} s  ${sent} requests  ${statusLine(counts)}`)
  },
})

const { counts, failures, memory } = report
console.log(`\nseed ${seed}: ${report.sent} requests in ${seconds()} s, ${report.crowdHeld} idle and slow connections held to the end`)
console.log(`by status  ${statusLine(counts)}`)
for (const [route, byStatus] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1))) console.log(`  ${route.padEnd(55)} ${line(byStatus)}`)
for (const { sent, heapBytes, residentBytes } of memory) {
  console.log(`after ${sent} requests  heap ${mib(heapBytes)} MiB  resident ${mib(residentBytes)} MiB`)
}
for (const failure of failures) console.log(`\n${failure}`)
console.log(failures.length === 0 ? '\nnothing wrong' : `\n${failures.length} wrong`)
process.exit(failures.length === 0 ? 0 : 1)

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new Error(`${text} is not a whole number`)
  return value
}

function statusLine(of: Counts): string {
  const total = new Map<string, number>()
  for (const byStatus of of.values()) for (const [status, times] of byStatus) total.set(status, (total.get(status) ?? 0) + times)
  return line(total)
}

function line(byStatus: ReadonlyMap<string, number>): string {
  return [...byStatus]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([status, times]) => `${status}: ${times}`)
    .join('  ')
}

function seconds(): string {
  return ((performance.now() - startedMs) / 1_000).toFixed(0)
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0)
}
