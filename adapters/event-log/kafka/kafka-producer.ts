import type { Logger } from 'pino'
import type { Clock } from '../../../base/clock.ts'
import { invariant } from '../../../base/invariant.ts'
import type { InstantMs, Offset, Partition } from '../../../domain/identity.ts'
import { RECORD_BYTES_MAX } from '../event-log.ts'
import { answerOf, isPassing, type KafkaAddress, kafkaFault, overloadedFault } from './kafka-fault.ts'
import type { KafkaLogMetrics } from './kafka-metrics.ts'
import { type KafkaBroker, type KafkaCluster, type KafkaProducerId, type ProduceAnswer, REQUEST_MS_MAX } from './kafka-wire.ts'
import { encodeRecordBatch, type RecordCompression } from './wire/record-batch.ts'

export type KafkaProducerOptions = {
  readonly cluster: KafkaCluster
  readonly address: KafkaAddress
  readonly compression: RecordCompression
  /** An append without an acknowledgement for this long is rejected; it may be in the log nevertheless. */
  readonly appendMsMax: number
  readonly unacknowledgedBytesMax: number
  readonly metrics: KafkaLogMetrics
  readonly clock: Clock
  readonly log: Logger
}

export type KafkaProducer = {
  append(partition: Partition, value: Uint8Array, receivedAtMs: InstantMs): Promise<Offset>
  unacknowledgedBytes(): number
  /** Resolves when every append was answered. */
  drain(): Promise<void>
}

/**
 * An idempotent producer with `acks=all`. Appends that arrive while a request is under way go out together in the next one. A
 * partition has one batch under way at a time; the same bytes are sent again under the same sequence number until a broker has
 * answered, so that the broker can tell a repeat from a new batch.
 */
export function createKafkaProducer(options: KafkaProducerOptions): KafkaProducer {
  const { cluster, metrics, clock, log } = options
  const queues = new Map<Partition, Queue>()
  const senders = new Map<number, Promise<void>>()
  const drained: (() => void)[] = []
  let session: Session | null = null
  let bytes = 0
  let isWoken = false
  let isFailing = false

  function append(partition: Partition, value: Uint8Array, receivedAtMs: InstantMs): Promise<Offset> {
    invariant(value.length <= RECORD_BYTES_MAX, `a record has at most ${RECORD_BYTES_MAX} bytes`)
    if (bytes + value.length > options.unacknowledgedBytesMax) {
      return Promise.reject(overloadedFault(options.address, bytes, options.unacknowledgedBytesMax))
    }
    bytes += value.length
    return new Promise((resolve, reject) => {
      const deadlineMs = performance.now() + options.appendMsMax
      queueOf(partition).waiting.push({ value, timestampMs: receivedAtMs, deadlineMs, resolve, reject })
      wakeSoon()
    })
  }

  function queueOf(partition: Partition): Queue {
    const known = queues.get(partition)
    if (known !== undefined) return known
    const queue: Queue = { partition, waiting: [], batch: null, isSending: false }
    queues.set(partition, queue)
    return queue
  }

  /** Wakes once per turn of the event loop: all appends of a turn share a request. */
  function wakeSoon(): void {
    if (isWoken) return
    isWoken = true
    void clock.turn().then(() => {
      isWoken = false
      wake()
    })
  }

  function wake(): void {
    for (const [node, ready] of readyByLeader()) {
      if (senders.has(node)) continue
      const sender = sendAll(node, ready).finally(() => {
        senders.delete(node)
        if ([...queues.values()].some((queue) => isReady(queue))) wake()
        else if (bytes === 0) for (const resolve of drained.splice(0)) resolve()
      })
      senders.set(node, sender)
    }
  }

  /** A partition without a leader goes to any sender: the failure makes us look for the leader again. */
  function readyByLeader(): Map<number, Queue[]> {
    const ready = new Map<number, Queue[]>()
    for (const queue of queues.values()) {
      if (!isReady(queue)) continue
      const node = cluster.leaderOf(queue.partition) ?? NO_NODE
      const queuesOfNode = ready.get(node)
      if (queuesOfNode === undefined) ready.set(node, [queue])
      else queuesOfNode.push(queue)
    }
    return ready
  }

  /** Never rejects: every append of the batches is answered or stays for the next round. */
  async function sendAll(node: number, ready: readonly Queue[]): Promise<void> {
    for (const queue of ready) queue.isSending = true
    const end = metrics.commitSeconds.startTimer()
    try {
      await cluster.refreshIfOld()
      const broker = await cluster.broker(node)
      session ??= await openSession(broker)
      const batches = fillBatches(ready, session)
      const produced = batches.map((batch) => ({ partition: batch.queue.partition, recordBatch: encoded(batch) }))
      const answers = await broker.produce(produced, Math.min(REQUEST_MS_MAX - 1_000, options.appendMsMax))
      end()
      await settle(batches, answers)
    } catch (error) {
      report('connection', error, ready)
      await sendLater(ready, error)
    } finally {
      for (const queue of ready) queue.isSending = false
    }
  }

  /** A batch that does not fit into the request stays filled, for the next round. */
  function fillBatches(ready: readonly Queue[], current: Session): readonly Batch[] {
    const batches: Batch[] = []
    let requestBytes = 0
    for (const queue of ready) {
      queue.batch ??= nextBatch(queue, current)
      if (requestBytes + queue.batch.bytes > REQUEST_BYTES_MAX) continue
      requestBytes += queue.batch.bytes
      batches.push(queue.batch)
    }
    return batches
  }

  /** Encoded once, so that a repeat has the same bytes. */
  function encoded(batch: Batch): Buffer {
    const { session, firstSequence } = batch
    batch.encoded ??= encodeRecordBatch(batch.appends, { ...session, firstSequence }, options.compression)
    return batch.encoded
  }

  async function settle(batches: readonly Batch[], answers: readonly ProduceAnswer[]): Promise<void> {
    const answerOf = new Map(answers.map((answer) => [answer.partition, answer]))
    const refused: Queue[] = []
    let lastError: unknown = null
    for (const batch of batches) {
      const answer = answerOf.get(batch.queue.partition)
      invariant(answer !== undefined, 'a broker answers for every partition that was sent')
      if (answer.error === null) acknowledge(batch, answer.baseOffset)
      else if (await isToBeSentAgain(batch, answer.error)) {
        refused.push(batch.queue)
        lastError = answer.error
      }
    }
    if (refused.length > 0) await sendLater(refused, lastError)
    else isFailing = false
  }

  function acknowledge(batch: Batch, baseOffset: number): void {
    metrics.records.inc(batch.appends.length)
    metrics.bytes.inc(batch.bytes)
    bytes -= batch.bytes
    batch.queue.batch = null
    for (const [index, one] of batch.appends.entries()) one.resolve((baseOffset + index) as Offset)
  }

  async function isToBeSentAgain(batch: Batch, error: Error): Promise<boolean> {
    const reason = answerOf(error) ?? 'unknown'
    report(reason, error, [batch.queue])
    // The broker has forgotten this producer, or lacks the batches before this one. It tells a repeat from a batch that it has
    // not seen, so this batch is not in the log and starts a new sequence.
    if (SEQUENCE_ERRORS.has(reason) && batch.resequenced < RESEQUENCED_MAX) {
      await resequence(batch)
      return true
    }
    if (isPassing(error)) return true
    reject(batch, error)
    return false
  }

  function report(reason: string, error: unknown, queuesOf: readonly Queue[]): void {
    metrics.failures.inc({ reason })
    const partitions = queuesOf.map((queue) => queue.partition)
    // Logged as a warning once per outage, as the request is repeated ten times a second.
    log[isFailing ? 'debug' : 'warn']({ reason, partitions, err: error }, 'kafka did not acknowledge an append')
    isFailing = true
  }

  async function resequence(batch: Batch): Promise<void> {
    if (session === batch.session) session = null
    batch.resequenced += 1
    const broker = await cluster.leaderBroker(batch.queue.partition)
    session ??= await openSession(broker)
    batch.session = session
    batch.firstSequence = takeSequence(session, batch.queue.partition, batch.appends.length)
    batch.encoded = null
  }

  /** A rejected batch leaves a hole in the sequence, or is in the log without our knowing: nothing more is sent in its session. */
  function reject(batch: Batch, error: unknown): void {
    if (session === batch.session) session = null
    batch.queue.batch = null
    bytes -= batch.bytes
    const fault = kafkaFault(options.address, 'append', error)
    for (const one of batch.appends) one.reject(fault)
  }

  async function sendLater(waiting: readonly Queue[], error: unknown): Promise<void> {
    const nowMs = performance.now()
    for (const queue of waiting) {
      if (queue.batch !== null && nowMs >= queue.batch.deadlineMs) reject(queue.batch, error)
      // Appends that were never sent are surely not in the log, and leave no hole.
      const expired = queue.waiting.findIndex((one) => one.deadlineMs > nowMs)
      const tooLate = queue.waiting.splice(0, expired === -1 ? queue.waiting.length : expired)
      for (const one of tooLate) {
        bytes -= one.value.length
        one.reject(kafkaFault(options.address, 'append', error))
      }
    }
    await clock.sleep(RETRY_MS)
    await cluster.refresh().catch((cause: unknown) => log.debug({ err: cause }, 'kafka metadata could not be refreshed'))
  }

  return {
    append,
    unacknowledgedBytes: () => bytes,
    drain: () => (bytes === 0 ? Promise.resolve() : new Promise((resolve) => drained.push(resolve))),
  }
}

type Append = {
  readonly value: Uint8Array
  readonly timestampMs: number
  readonly deadlineMs: number
  readonly resolve: (offset: Offset) => void
  readonly reject: (fault: Error) => void
}

type Queue = {
  readonly partition: Partition
  readonly waiting: Append[]
  batch: Batch | null
  isSending: boolean
}

type Batch = {
  readonly queue: Queue
  readonly appends: readonly Append[]
  readonly bytes: number
  readonly deadlineMs: number
  session: Session
  firstSequence: number
  encoded: Buffer | null
  resequenced: number
}

/** A producer id that the cluster gave us; under it every partition counts its records from 0. */
type Session = KafkaProducerId & { readonly nextSequence: Map<Partition, number> }

const REQUEST_BYTES_MAX = 8 * RECORD_BYTES_MAX
const RETRY_MS = 100
const RESEQUENCED_MAX = 3
const NO_NODE = -1
const SEQUENCE_MAX = 2 ** 31
const SEQUENCE_ERRORS: ReadonlySet<string> = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
])

async function openSession(broker: KafkaBroker): Promise<Session> {
  return { ...(await broker.initProducerId()), nextSequence: new Map() }
}

function isReady(queue: Queue): boolean {
  return !queue.isSending && (queue.batch !== null || queue.waiting.length > 0)
}

/** As many appends as one record batch may hold, whose size the broker bounds. */
function nextBatch(queue: Queue, session: Session): Batch {
  let bytes = 0
  let count = 0
  for (const { value } of queue.waiting) {
    if (count > 0 && bytes + value.length > RECORD_BYTES_MAX) break
    bytes += value.length
    count += 1
  }
  const appends = queue.waiting.splice(0, count)
  const deadlineMs = appends[0]?.deadlineMs ?? 0
  const firstSequence = takeSequence(session, queue.partition, count)
  return { queue, appends, bytes, deadlineMs, session, firstSequence, encoded: null, resequenced: 0 }
}

/** Kafka's sequence numbers wrap around at 2^31. */
function takeSequence(session: Session, partition: Partition, count: number): number {
  const first = session.nextSequence.get(partition) ?? 0
  session.nextSequence.set(partition, (first + count) % SEQUENCE_MAX)
  return first
}
