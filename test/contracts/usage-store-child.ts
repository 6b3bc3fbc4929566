import { pino } from 'pino'
import { Registry } from 'prom-client'
import { openChdbUsageStore } from '../../adapters/usage-store/engine/chdb-usage-store.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { flushOf, offset, partition, storedEvent, windowRow } from './usage-store-builders.ts'

/** Writes one flush after another until it is killed: flush n holds ten events and their window. Prints each position once written. */
const [path = ''] = process.argv.slice(2)
const store = await openChdbUsageStore({
  clock: systemClock,
  path,
  chunkRecords: 1000,
  log: pino({ level: 'silent' }),
  registry: new Registry(),
})
await store.migrate()
for (let n = 0; ; n++) {
  const events = Array.from({ length: 10 }, (_, index) => storedEvent({ id: `e${n}-${index}`, offset: offset(n), index }))
  const windows = [windowRow({ chunk: n, version: offset(n), events: 10, sum: 10n })]
  await store.write(flushOf({ events, windows, positions: [{ partition: partition(0), next: offset(n + 1) }] }))
  process.stdout.write(`${n + 1}.\n`)
}
