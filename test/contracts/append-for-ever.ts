import { pino } from 'pino'
import { Registry } from 'prom-client'
import { createLmdbEventLog } from '../../adapters/event-log/lmdb/lmdb-event-log.ts'
import type { InstantMs, Partition } from '../../domain/identity.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'

// Runs as its own process, to be killed: appends without end and prints every acknowledged offset.
const log = await createLmdbEventLog({
  clock: systemClock,
  path: process.argv[2] ?? '',
  partitions: 2,
  log: pino({ level: 'silent' }),
  registry: new Registry(),
})

async function appendForEver(writer: number): Promise<never> {
  for (let n = 0; ; n++) {
    const value = `writer-${writer}-record-${n}`
    const offset = await log.append(0 as Partition, new TextEncoder().encode(value), n as InstantMs)
    process.stdout.write(`${offset} ${value}.\n`)
  }
}

await Promise.all(Array.from({ length: 16 }, (_, writer) => appendForEver(writer)))
