import { Connection, fetchV12, initProducerIdV3, type MessageRecord, NumericMap, produceV7 } from '@platformatic/kafka'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { createKafkaEventLog } from '../../adapters/event-log/kafka/kafka-event-log.ts'
import { createKafkaJsWire } from '../../adapters/event-log/kafka/wire/kafkajs-wire.ts'
import { encodeRecordBatch } from '../../adapters/event-log/kafka/wire/record-batch.ts'
import { bestCompression } from '../../adapters/event-log/kafka/wire/record-compression.ts'
import type { InstantMs, Offset, Partition } from '../../domain/identity.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { median } from '../distribution.ts'
import { encodedRecords } from '../encoded-records.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { withDevServers } from '../with-dev-servers.ts'

export const kafkaWirePart: BenchPart = {
  name: 'kafka-wire',
  about: 'CPU and speed of one produce and one fetch request through our wire on kafkajs beside @platformatic/kafka, in pairs',
  run: measureKafkaWire,
}

const TOPIC = 'bench-wire'
const PARTITIONS = 4
/** Records of 250 events, as from a request of 1,000 events: a batch of some 240 KB before compression. */
const RECORD_EVENTS = 250
const BATCH_RECORDS = 16
const ACK_MS_MAX = 10_000
const FETCH_BYTES_MAX = 8 * 1024 * 1024
const PARTITION_BYTES_MAX = 1024 * 1024

/** One request of each kind, as both libraries can make them. */
type Client = {
  readonly name: string
  /** Sends one batch of these records to every partition, with `acks=all`, idempotent, zstd; resolves when the broker has them. */
  produce(records: readonly Uint8Array[], nowMs: number): Promise<void>
  /** Reads records of every partition from these offsets on; resolves with the next offsets and the number of bytes read. */
  fetch(from: readonly number[]): Promise<{ readonly next: readonly number[]; readonly bytes: number }>
  close(): Promise<void>
}

function measureKafkaWire(context: BenchContext): Promise<readonly Figure[]> {
  return withDevServers(['kafka'], async ({ kafka }) => {
    await makeTopic(kafka.url)
    const clients = [await openKafkaJs(kafka.url), await openPlatformatic(kafka.url)] as const
    try {
      return await measurePairs(context, clients)
    } finally {
      await Promise.all(clients.map((client) => client.close()))
    }
  })
}

/** Appends one record to every partition, so that the brokers serve the topic and give out producer ids. */
async function makeTopic(brokers: string): Promise<void> {
  const common = { partitions: PARTITIONS, replication: 1, clientId: 'bench', log: pino({ level: 'silent' }), registry: new Registry() }
  const eventLog = await createKafkaEventLog({ clock: systemClock, ...common, brokers: brokers.split(','), topic: TOPIC })
  await Promise.all(partitionsOf(PARTITIONS).map((partition) => eventLog.append(partition, new Uint8Array(1), Date.now() as InstantMs)))
  await eventLog.stop()
}

type Leg = { readonly cpuMs: number; readonly tookMs: number; readonly megabytes: number }

async function measurePairs(context: BenchContext, clients: readonly [Client, Client]): Promise<Figure[]> {
  const records = encodedRecords(BATCH_RECORDS * 16 * RECORD_EVENTS, RECORD_EVENTS)
  const requests = context.isQuick ? 20 : 48
  const produced: Leg[][] = []
  const fetched: Leg[][] = []
  let start: readonly number[] = Array.from({ length: PARTITIONS }, () => 1)
  // In the first round V8 and the broker's JVM compile.
  for (let round = 0; round <= (context.isQuick ? 3 : 11); round++) {
    context.progress(`round ${round}`)
    // The order changes from round to round, so that neither library always finds the broker as the other left it.
    const order = round % 2 === 0 ? [0, 1] : [1, 0]
    const writes: Leg[] = []
    const reads: Leg[] = []
    for (const at of order) writes[at] = await produceLeg(clients[at] as Client, records, requests)
    const ends = start.map((offset) => offset + 2 * requests * BATCH_RECORDS)
    for (const at of order) reads[at] = await fetchLeg(clients[at] as Client, start, ends)
    start = ends
    if (round === 0) continue
    produced.push(writes)
    fetched.push(reads)
  }
  const bytes = records.slice(0, BATCH_RECORDS).reduce((sum, { length }) => sum + length, 0)
  return [
    ...figures('encode and produce', clients, produced, `batches of ${BATCH_RECORDS} records, ${(bytes / 1000).toFixed(0)} KB`),
    ...figures('fetch and decode', clients, fetched, 'the same records'),
  ]
}

async function produceLeg(client: Client, records: readonly Uint8Array[], requests: number): Promise<Leg> {
  const nowMs = Date.now()
  let bytes = 0
  return await leg(async () => {
    for (let request = 0; request < requests; request++) {
      const from = (request * BATCH_RECORDS) % records.length
      const some = records.slice(from, from + BATCH_RECORDS)
      await client.produce(some, nowMs)
      bytes += PARTITIONS * some.reduce((sum, { length }) => sum + length, 0)
    }
    return bytes
  })
}

async function fetchLeg(client: Client, start: readonly number[], ends: readonly number[]): Promise<Leg> {
  return await leg(async () => {
    let at = start
    let bytes = 0
    while (at.some((offset, partition) => offset < (ends[partition] ?? 0))) {
      const { next, bytes: read } = await client.fetch(at)
      at = next
      bytes += read
    }
    return bytes
  })
}

/** CPU of this process with all its threads. */
async function leg(work: () => Promise<number>): Promise<Leg> {
  const before = process.cpuUsage()
  const startMs = performance.now()
  const bytes = await work()
  const tookMs = performance.now() - startMs
  const { user, system } = process.cpuUsage(before)
  return { cpuMs: (user + system) / 1_000, tookMs, megabytes: bytes / 1_000_000 }
}

function figures(what: string, clients: readonly [Client, Client], rounds: readonly (readonly Leg[])[], note: string): Figure[] {
  const cpu = (at: number) => rounds.map((round) => perMegabyte(round[at], 'cpuMs'))
  const took = (at: number) => rounds.map((round) => perMegabyte(round[at], 'tookMs'))
  const ratios = (first: readonly number[], second: readonly number[]) => second.map((value, round) => value / (first[round] ?? Number.NaN))
  const cpuRatios = ratios(cpu(0), cpu(1))
  const tookRatios = ratios(took(0), took(1))
  return [
    ...clients.map(({ name }, at) => ({ what: `${what}: ${name}`, value: median(cpu(at)), unit: 'ms CPU/MB', note })),
    {
      what: `${what}: CPU, ${clients[1].name} over ${clients[0].name}`,
      value: median(cpuRatios),
      unit: 'x',
      note: `by pair ${cpuRatios.map((ratio) => ratio.toFixed(2)).join(' ')}`,
    },
    {
      what: `${what}: MB per second, ${clients[1].name} over ${clients[0].name}`,
      value: 1 / median(tookRatios),
      unit: 'x',
      note: `by pair ${tookRatios.map((ratio) => (1 / ratio).toFixed(2)).join(' ')}`,
    },
  ]
}

function perMegabyte(one: Leg | undefined, field: 'cpuMs' | 'tookMs'): number {
  return one === undefined ? Number.NaN : one[field] / one.megabytes
}

/** As the event log uses kafkajs: our record batches, kafkajs's connections and our decoding. */
async function openKafkaJs(brokers: string): Promise<Client> {
  const wire = createKafkaJsWire({ brokers: brokers.split(','), clientId: 'bench', log: pino({ level: 'silent' }) })
  const cluster = await wire.openCluster(TOPIC)
  const broker = await cluster.leaderBroker(0 as Partition)
  const session = await broker.initProducerId()
  const compression = bestCompression()
  let firstSequence = 0
  return {
    name: 'our wire on kafkajs',
    async produce(records, nowMs) {
      const batches = partitionsOf(PARTITIONS).map((partition) => ({
        partition,
        recordBatch: encodeRecordBatch(
          records.map((value) => ({ value, timestampMs: nowMs })),
          { ...session, firstSequence },
          compression,
        ),
      }))
      firstSequence += records.length
      const answers = await broker.produce(batches, ACK_MS_MAX)
      for (const { error } of answers) if (error !== null) throw error
    },
    async fetch(from) {
      const fetched = await broker.fetch({
        positions: from.map((offset, partition) => ({ partition: partition as Partition, from: offset as Offset })),
        waitMs: 100,
        bytesMax: FETCH_BYTES_MAX,
        partitionBytesMax: PARTITION_BYTES_MAX,
      })
      let bytes = 0
      const next = from.map((offset, partition) => {
        const records = fetched.get(partition as Partition) ?? []
        for (const { value } of records) bytes += value.length
        return (records.at(-1)?.offset ?? offset - 1) + 1
      })
      return { next, bytes }
    },
    close: () => cluster.close(),
  }
}

/** Its public functions for single requests, as its producer and consumer would take over the decisions of our own loops. */
async function openPlatformatic(brokers: string): Promise<Client> {
  const [host = '', port = ''] = (brokers.split(',')[0] ?? '').split(':')
  const writing = new Connection('bench')
  const reading = new Connection('bench')
  await Promise.all([writing.connect(host, Number(port)), reading.connect(host, Number(port))])
  const { producerId, producerEpoch } = await initProducerIdV3.api.async(writing, null, ACK_MS_MAX, -1n, -1)
  const sequences = new NumericMap()
  return {
    name: '@platformatic/kafka',
    async produce(records, nowMs) {
      const timestamp = BigInt(nowMs)
      const messages = partitionsOf(PARTITIONS).flatMap((partition) =>
        records.map(
          (value): MessageRecord => ({
            topic: TOPIC,
            partition,
            value: Buffer.from(value.buffer, value.byteOffset, value.length),
            timestamp,
          }),
        ),
      )
      const options = { compression: 'zstd', producerId, producerEpoch, sequences } as const
      await produceV7.api.async(writing, -1, ACK_MS_MAX, messages, options)
      for (const partition of partitionsOf(PARTITIONS)) sequences.postIncrement(`${TOPIC}:${partition}`, records.length, 0)
    },
    async fetch(from) {
      const partitions = from.map((offset, partition) => ({
        partition,
        currentLeaderEpoch: -1,
        fetchOffset: BigInt(offset),
        lastFetchedEpoch: -1,
        partitionMaxBytes: PARTITION_BYTES_MAX,
      }))
      const { responses } = await fetchV12.api.async(reading, 100, 1, FETCH_BYTES_MAX, 0, 0, -1, [{ topicId: TOPIC, partitions }], [], '')
      const next = [...from]
      let bytes = 0
      for (const { partitionIndex, records: batches } of responses.flatMap((response) => response.partitions)) {
        for (const batch of batches ?? []) {
          for (const { offsetDelta, value } of batch.records) {
            const offset = Number(batch.firstOffset) + offsetDelta
            if (offset < (from[partitionIndex] ?? 0)) continue
            bytes += value?.length ?? 0
            next[partitionIndex] = offset + 1
          }
        }
      }
      return { next, bytes }
    },
    async close() {
      await Promise.all([writing.close(), reading.close()])
    },
  }
}

function partitionsOf(count: number): readonly Partition[] {
  return Array.from({ length: count }, (_, partition) => partition as Partition)
}
