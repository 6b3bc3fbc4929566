import { setTimeout as delay } from 'node:timers/promises'
import type { CompressionTypes } from 'kafkajs'
import type { Logger } from 'pino'
import type { InstantMs, Offset, Partition } from '../../domain/identity.ts'
import { invariant } from '../../domain/invariant.ts'
import { RECORD_BYTES_MAX } from './event-log.ts'
import { isTimeout, type KafkaBroker, type KafkaCluster, leaderOf, REQUEST_MS_MAX } from './kafka-cluster.ts'
import { isPassing, type KafkaAddress, kafkaFault, overloadedFault, protocolErrorType } from './kafka-fault.ts'
import type { KafkaLogMetrics } from './kafka-metrics.ts'

export type KafkaProducerOptions = {
  readonly cluster: KafkaCluster
  readonly address: KafkaAddress
  readonly topic: string
  readonly compression: CompressionTypes
  /** An append that no broker has acknowledged for this long is rejected; it may be in the log all the same. */
  readonly appendMsMax: number
  readonly unacknowledgedBytesMax: number
  readonly metrics: KafkaLogMetrics
  readonly log: Logger
}

export type KafkaProducer = {
  append(partition: Partition, value: Uint8Array, receivedAtMs: InstantMs): Promise<Offset>
  unacknowledgedBytes(): number
  /** Resolves when every append was answered. */
  drain(): Promise<void>
}

/**
 * An idempotent producer with `acks=all`. Appends that arrive while a request is under way go out together in the next
 * one. A partition has one batch under way at a time; it is sent again, as it was and under its own sequence number, until
 * a broker has answered for it, so that the broker can tell a repeat from a new batch.
 */
export function createKafkaProducer(options: KafkaProducerOptions): KafkaProducer {
  const { cluster, topic, metrics, log } = options
  const queues = new Map<Partition, Queue>()
  const senders = new Map<number, Promise<void>>()
  const drained: (() => void)[] = []
  let session: Session | null = null
  let bytes = 0
  let isWoken = false

  function append(partition: Partition, value: Uint8Array, receivedAtMs: InstantMs): Promise<Offset> {
    invariant(value.length <= RECORD_BYTES_MAX, `a record has at most ${RECORD_BYTES_MAX} bytes`)
    if (bytes + value.length > options.unacknowledgedBytesMax) {
      return Promise.reject(overloadedFault(options.address, bytes, options.unacknowledgedBytesMax))
    }
    bytes += value.length
    return new Promise((resolve, reject) => {
      const deadlineMs = performance.now() + options.appendMsMax
      queueOf(partition).waiting.push({ value: asBuffer(value), timestamp: receivedAtMs, deadlineMs, resolve, reject })
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

  /** Once per turn of the event loop: all appends of a turn share a request. */
  function wakeSoon(): void {
    if (isWoken) return
    isWoken = true
    setImmediate(() => {
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

  /** A partition without a leader goes to any sender: its failure is what makes us look for the leader again. */
  function readyByLeader(): Map<number, Queue[]> {
    const ready = new Map<number, Queue[]>()
    for (const queue of queues.values()) {
      if (!isReady(queue)) continue
      const node = knownLeader(queue.partition)
      const queuesOfNode = ready.get(node)
      if (queuesOfNode === undefined) ready.set(node, [queue])
      else queuesOfNode.push(queue)
    }
    return ready
  }

  function knownLeader(partition: Partition): number {
    try {
      return leaderOf(cluster, topic, partition)
    } catch {
      return NO_NODE
    }
  }

  /** Never rejects: every append of the batches is answered or stays for the next round. */
  async function sendAll(node: number, ready: readonly Queue[]): Promise<void> {
    for (const queue of ready) queue.isSending = true
    try {
      await cluster.refreshMetadataIfNecessary()
      const broker = await cluster.findBroker({ nodeId: node })
      const groups = await fillBatches(broker, ready)
      for (const batches of groups) await send(broker, batches)
    } catch (error) {
      // Nothing was sent: the leader is unknown or does not answer.
      await sendLater(ready, error)
    } finally {
      for (const queue of ready) queue.isSending = false
    }
  }

  /**
   * Batches by the request they go in: one request speaks for one session, and a batch whose place in the log is in doubt
   * goes alone, so that the answer is surely its own.
   */
  async function fillBatches(broker: KafkaBroker, ready: readonly Queue[]): Promise<readonly (readonly Batch[])[]> {
    session ??= await openSession(broker)
    const together = new Map<Session, Batch[]>()
    const alone: Batch[][] = []
    let requestBytes = 0
    for (const queue of ready) {
      const batch = queue.batch ?? nextBatch(queue, session)
      queue.batch = batch
      requestBytes += batch.bytes
      if (batch.isAlone) alone.push([batch])
      else if (requestBytes <= REQUEST_BYTES_MAX) together.set(batch.session, [...(together.get(batch.session) ?? []), batch])
      // What does not fit any more stays filled, for the next round.
    }
    return [...together.values(), ...alone]
  }

  async function send(broker: KafkaBroker, batches: readonly Batch[]): Promise<void> {
    const first = batches[0]
    if (first === undefined) return
    const end = metrics.commitSeconds.startTimer()
    try {
      const { topics } = await broker.produce({
        producerId: first.session.producerId,
        producerEpoch: first.session.producerEpoch,
        acks: -1,
        timeout: Math.min(REQUEST_MS_MAX - 1_000, options.appendMsMax),
        compression: options.compression,
        topicData: [{ topic, partitions: batches.map(producedPartition) }],
      })
      end()
      const offsets = new Map(topics.flatMap((answer) => answer.partitions.map((one) => [one.partition, Number(one.baseOffset)])))
      for (const batch of batches) acknowledge(batch, offsets.get(batch.queue.partition))
    } catch (error) {
      await failed(broker, batches, error)
    }
  }

  function acknowledge(batch: Batch, baseOffset: number | undefined): void {
    invariant(baseOffset !== undefined && baseOffset >= 0, 'a broker answers every produced partition with its offset')
    metrics.records.inc(batch.appends.length)
    metrics.bytes.inc(batch.bytes)
    bytes -= batch.bytes
    batch.queue.batch = null
    for (const [index, one] of batch.appends.entries()) one.resolve((baseOffset + index) as Offset)
  }

  async function failed(broker: KafkaBroker, batches: readonly Batch[], error: unknown): Promise<void> {
    const reason = protocolErrorType(error) ?? 'connection'
    metrics.failures.inc({ reason })
    log.warn({ reason, partitions: batches.map((batch) => batch.queue.partition), err: error }, 'kafka did not acknowledge an append')
    // kafkajs keeps a connection that no longer answers, and would wait on it again and again.
    if (isTimeout(error)) await broker.disconnect()
    if (isPassing(error) && !SEQUENCE_ERRORS.has(reason)) {
      return sendLater(
        batches.map((batch) => batch.queue),
        error,
      )
    }
    // The error is of one partition of several, and the response does not say which: ask for each alone.
    if (batches.length > 1) {
      for (const batch of batches) batch.isAlone = true
      return
    }
    for (const batch of batches) {
      // The broker has forgotten this producer, or never got what came before. It tells a repeat from a batch it has not
      // seen, so this one is not in the log: it starts a new sequence.
      if (SEQUENCE_ERRORS.has(reason) && batch.resequenced < RESEQUENCED_MAX) await resequence(batch)
      else reject(batch, error)
    }
  }

  async function resequence(batch: Batch): Promise<void> {
    if (session === batch.session) session = null
    batch.resequenced += 1
    const broker = await cluster.findBroker({ nodeId: leaderOf(cluster, topic, batch.queue.partition) })
    session ??= await openSession(broker)
    batch.session = session
    batch.firstSequence = takeSequence(session, batch.queue.partition, batch.appends.length)
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
      // Those never sent are surely not in the log, and leave no hole.
      const expired = queue.waiting.findIndex((one) => one.deadlineMs > nowMs)
      const tooLate = queue.waiting.splice(0, expired === -1 ? queue.waiting.length : expired)
      for (const one of tooLate) {
        bytes -= one.value.length
        one.reject(kafkaFault(options.address, 'append', error))
      }
    }
    await delay(RETRY_MS)
    await cluster.refreshMetadata().catch((cause: unknown) => log.debug({ err: cause }, 'kafka metadata could not be refreshed'))
  }

  return {
    append,
    unacknowledgedBytes: () => bytes,
    drain: () => (bytes === 0 ? Promise.resolve() : new Promise((resolve) => drained.push(resolve))),
  }
}

type Append = {
  readonly value: Buffer
  readonly timestamp: number
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
  isAlone: boolean
  resequenced: number
}

/** An id that the cluster gave us; in it every partition counts its records from 0. */
type Session = { readonly producerId: string; readonly producerEpoch: number; readonly nextSequence: Map<Partition, number> }

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
  const { producerId, producerEpoch } = await broker.initProducerId({ transactionTimeout: REQUEST_MS_MAX })
  return { producerId, producerEpoch, nextSequence: new Map() }
}

function isReady(queue: Queue): boolean {
  return !queue.isSending && (queue.batch !== null || queue.waiting.length > 0)
}

/** As many appends as one record batch may hold: the broker bounds its size. */
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
  return { queue, appends, bytes, deadlineMs, session, firstSequence, isAlone: false, resequenced: 0 }
}

/** Kafka's sequence numbers go round at 2^31. */
function takeSequence(session: Session, partition: Partition, count: number): number {
  const first = session.nextSequence.get(partition) ?? 0
  session.nextSequence.set(partition, (first + count) % SEQUENCE_MAX)
  return first
}

function producedPartition(batch: Batch) {
  return {
    partition: batch.queue.partition,
    firstSequence: batch.firstSequence,
    messages: batch.appends.map(({ value, timestamp }) => ({ value, timestamp })),
  }
}

function asBuffer(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}
