import { parseArgs } from 'node:util'
import type { LoadResult } from '../../bench/load.ts'
import { type HostileReport, hostileRun } from './hostile-run.ts'

/** `npm run test:hostile -- --minutes 10`. Exit code 1 when the server ended, the honest tenant saw an error, or `verify` found a difference. */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    events: { type: 'string', default: '5000' },
    decisions: { type: 'string', default: '500' },
    tenants: { type: 'string', default: '3' },
    pause: { type: 'string', default: '20' },
    heap: { type: 'string', default: '768' },
  },
})

const startedMs = performance.now()
const report = await hostileRun({
  calmMs: Math.min(60, Number(values.minutes) * 15) * 1_000,
  attackMs: Number(values.minutes) * 60_000,
  eventsPerSecond: Number(values.events),
  decisionsPerSecond: Number(values.decisions),
  tenants: Number(values.tenants),
  pauseMs: Number(values.pause),
  heapMib: Number(values.heap),
  progress: (what) => console.log(`${((performance.now() - startedMs) / 1_000).toFixed(0)} s  ${what}`),
})
print(report)
process.exit(isAsPromised(report) ? 0 : 1)

function print({ calm, attacked, attacks, restarts, residentMibMax, verify }: HostileReport): void {
  console.log('\n| honest tenant | requests | errors | p50 ms | p99 ms | greatest ms |\n| --- | --- | --- | --- | --- | --- |')
  const rows: readonly [string, LoadResult][] = [
    ['events, calm', calm.events],
    ['events, attacked', attacked.events],
    ['decisions, calm', calm.decisions],
    ['decisions, attacked', attacked.decisions],
  ]
  for (const [name, { requests, byStatus, latencyMs }] of rows) {
    const { p50, p99, max } = latencyMs
    console.log(`| ${name} | ${requests} | ${errorsIn(byStatus)} | ${p50.toFixed(1)} | ${p99.toFixed(1)} | ${max.toFixed(1)} |`)
  }
  console.log('\n| attack | came to |\n| --- | --- |')
  for (const [kind, outcomes] of Object.entries(attacks)) {
    const listed = Object.entries(outcomes).sort(([, a], [, b]) => b - a)
    console.log(`| ${kind} | ${listed.map(([outcome, times]) => `${outcome} ${times}`).join(', ')} |`)
  }
  console.log(
    `\nrestarts ${restarts}, resident at most ${residentMibMax.toFixed(0)} MiB, verify ${verify.code === 0 ? 'clean' : `ended with ${verify.code}`}`,
  )
  if (verify.code !== 0) console.log(verify.output.slice(-4_000))
}

function isAsPromised({ attacked, restarts, verify }: HostileReport): boolean {
  const errors = errorsIn(attacked.events.byStatus) + errorsIn(attacked.decisions.byStatus)
  return restarts === 0 && errors === 0 && verify.code === 0
}

function errorsIn(byStatus: LoadResult['byStatus']): number {
  return Object.entries(byStatus).reduce((sum, [status, count]) => (status.startsWith('2') ? sum : sum + count), 0)
}
