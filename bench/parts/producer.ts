import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import type { EventLog } from '../../adapters/event-log/event-log.ts'
import { createKafkaEventLog } from '../../adapters/event-log/kafka/kafka-event-log.ts'
import { createLmdbEventLog } from '../../adapters/event-log/lmdb/lmdb-event-log.ts'
import type { InstantMs, Partition } from '../../domain/identity.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { median } from '../distribution.ts'
import { encodedRecords } from '../encoded-records.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { readTreeCpuMs } from '../process-usage.ts'
import { withDevServers } from '../with-dev-servers.ts'

export const producerPart: BenchPart = {
  name: 'producer',
  about: 'CPU per event of appending to Kafka beside appending to the embedded log, in pairs',
  run: measureProducer,
}

const PARTITIONS = 4
/** A record is a request's share of one of four partitions: from a request of 1,000 events, and from one of 100. */
const RECORD_EVENTS = [250, 25] as const
/** As many at once as 8 connections would have under way. */
const APPENDED_AT_ONCE = 32

function measureProducer(context: BenchContext): Promise<readonly Figure[]> {
  return withDevServers(['kafka'], async ({ kafka }) => {
    const directory = await mkdtemp(join(tmpdir(), 'tollgate-bench-'))
    const common = { partitions: PARTITIONS, log: pino({ level: 'silent' }) }
    const embedded = await createLmdbEventLog({
      clock: systemClock,
      ...common,
      path: join(directory, 'event-log'),
      registry: new Registry(),
    })
    const options = { brokers: kafka.url.split(','), topic: 'bench', replication: 1, clientId: 'bench', registry: new Registry() }
    const onKafka = await createKafkaEventLog({ clock: systemClock, ...common, ...options })
    const brokerCpuMs = () => kafka.processes.reduce((sum, { pid }) => sum + readTreeCpuMs(pid), 0)
    try {
      const figures: Figure[] = []
      for (const recordEvents of RECORD_EVENTS) {
        context.progress(`records of ${recordEvents} events`)
        figures.push(...(await measurePairs(context, recordEvents, embedded, onKafka, brokerCpuMs)))
      }
      return figures
    } finally {
      await embedded.stop()
      await onKafka.stop()
      await rm(directory, { recursive: true, force: true })
    }
  })
}

type Round = { readonly embedded: number; readonly kafka: number; readonly broker: number }

async function measurePairs(
  context: BenchContext,
  recordEvents: number,
  embedded: EventLog,
  onKafka: EventLog,
  brokerCpuMs: () => number,
): Promise<Figure[]> {
  const events = context.isQuick ? 50_000 : 400_000
  const records = encodedRecords(Math.min(events, 200_000), recordEvents)
  const times = Math.ceil(events / (records.length * recordEvents))
  const measured: Round[] = []
  // In the first round V8 and the broker's JVM compile.
  for (let round = 0; round <= (context.isQuick ? 3 : 9); round++) {
    const embeddedMicros = await appendMicros(embedded, records, recordEvents, times)
    const brokerBeforeMs = brokerCpuMs()
    const kafkaMicros = await appendMicros(onKafka, records, recordEvents, times)
    const brokerMicros = ((brokerCpuMs() - brokerBeforeMs) * 1_000) / (records.length * recordEvents * times)
    if (round > 0) measured.push({ embedded: embeddedMicros, kafka: kafkaMicros, broker: brokerMicros })
  }
  const label = `records of ${recordEvents} events: `
  const ratios = measured.map((round) => round.kafka / round.embedded)
  const bytes = records.reduce((sum, { length }) => sum + length, 0) / (records.length * recordEvents)
  return [
    {
      what: `${label}embedded log`,
      value: median(measured.map((round) => round.embedded)),
      unit: 'µs/event',
      note: `fsynced; ${bytes.toFixed(0)} bytes an event`,
    },
    {
      what: `${label}Kafka producer`,
      value: median(measured.map((round) => round.kafka)),
      unit: 'µs/event',
      note: `acknowledged by all replicas; broker ${median(measured.map((round) => round.broker)).toFixed(2)} µs/event of its own`,
    },
    {
      what: `${label}Kafka over embedded`,
      value: median(ratios),
      unit: 'x',
      budget: { max: 2 },
      note: `by pair ${ratios.map((ratio) => ratio.toFixed(2)).join(' ')}`,
    },
  ]
}

/** CPU of this process with all its threads. */
async function appendMicros(eventLog: EventLog, records: readonly Uint8Array[], recordEvents: number, times: number): Promise<number> {
  const before = process.cpuUsage()
  for (let time = 0; time < times; time++) {
    for (let from = 0; from < records.length; from += APPENDED_AT_ONCE) {
      const some = records.slice(from, from + APPENDED_AT_ONCE)
      await Promise.all(some.map((value, at) => eventLog.append((at % PARTITIONS) as Partition, value, Date.now() as InstantMs)))
    }
  }
  const { user, system } = process.cpuUsage(before)
  return (user + system) / (records.length * recordEvents * times)
}
