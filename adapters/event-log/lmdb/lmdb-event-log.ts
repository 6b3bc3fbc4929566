import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Clock } from '../../../base/clock.ts'
import { Fault } from '../../../base/fault.ts'
import { invariant } from '../../../base/invariant.ts'
import type { InstantMs, Offset, Partition } from '../../../domain/identity.ts'
import { copyLmdb } from '../../lmdb/copy-lmdb.ts'
import type { OnPanic } from '../../lmdb/lmdb-failure.ts'
import { fillUpFile } from '../../lmdb/lmdb-file-length.ts'
import { refuseFullDisk } from '../../lmdb/refuse-full-disk.ts'
import type { EventLog, LogHandler, LogRange, LogRecord } from '../event-log.ts'
import { createLogMetrics } from '../log-metrics.ts'
import { createGroupCommit, type PlacedRecord } from './group-commit.ts'
import { logFaultOf, logFull, logUnavailable } from './lmdb-log-fault.ts'
import { checkPartitions, endOf, heldBytes, nextOpening, OPENING, openLogStore } from './lmdb-log-store.ts'
import { offsetOfKey, receivedAtOf, recordKey, recordOf, storedRecord, valueOfStored } from './lmdb-record-layout.ts'
import { type LmdbSubscription, startLmdbSubscription } from './lmdb-subscription.ts'
import { createLogTail } from './log-tail.ts'
import { writeRecordFiles } from './record-files.ts'

export type LmdbEventLogOptions = {
  /** Directory of the log; created when it does not exist. */
  readonly path: string
  readonly partitions: number
  /** Directory for records that cannot be decoded; by default `undecodable` in the log's directory. */
  readonly undecodablePath?: string
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  /** Bound on the bytes of records on disk; beyond it appends are the Fault `log_full`. */
  readonly storedBytesMax?: number
  /** Bound on appended bytes that are not yet durable; beyond it appends are the Fault `log_overloaded`. */
  readonly unacknowledgedBytesMax?: number
  /** A handler gets at most this many records or bytes at once (one record may be larger). */
  readonly readRecordsMax?: number
  readonly readBytesMax?: number
  /** Bytes of records kept in memory until the subscription has read them; beyond it, the subscription reads from the file. */
  readonly tailBytesMax?: number
  readonly onPanic?: OnPanic
}

/** The event log in one directory, for one process. See README.md for what is durable when. */
export async function createLmdbEventLog(options: LmdbEventLogOptions): Promise<EventLog> {
  const { log, partitions, storedBytesMax = 256 * GiB, readRecordsMax = 64, readBytesMax = 4 * MiB } = options
  const tail = createLogTail({ bytesMax: options.tailBytesMax ?? 128 * MiB })
  const store = openLogStore(options.path)
  const { root, records, meta } = store
  const opening = await checkPartitions(store, options)
    .then(() => nextOpening(meta))
    .catch(async (error: unknown) => {
      const fault = error instanceof Fault ? error : await logFaultOf(error, options, 0)
      await root.close()
      throw fault
    })
  const metrics = createLogMetrics(options.registry, () => appends.unacknowledgedBytes())
  let subscription: LmdbSubscription | null = null
  let isStopping = false
  let writeFault: unknown = null
  let failingSinceMs: InstantMs | null = null

  const appends = createGroupCommit({
    next: Array.from({ length: partitions }, (_, partition) => endOf(records, partition)),
    unacknowledgedBytesMax: options.unacknowledgedBytesMax ?? 64 * MiB,
    commit,
    onDurable: (changed) => subscription?.wake(changed),
  })

  async function commit(placed: readonly PlacedRecord[]): Promise<void> {
    const end = metrics.commitSeconds.startTimer()
    const rows = placed.map((record) => ({
      record,
      key: recordKey(record.partition, record.offset),
      stored: storedRecord(record.value, record.receivedAtMs),
    }))
    const bytes = rows.reduce((sum, row) => sum + row.stored.length, 0)
    try {
      const held = heldBytes(records)
      if (held + bytes > storedBytesMax) throw logFull(`it holds ${held} bytes of at most ${storedBytesMax}`)
      await write(() => {
        for (const { key, stored } of rows) records.put(key, stored)
      }, bytes)
      writeFault = null
      failingSinceMs = null
      if (subscription !== null) for (const { record, stored } of rows) tail.keep({ ...record, value: valueOfStored(stored) })
    } catch (error) {
      const fault = error instanceof Fault ? error : await logFaultOf(error, options, bytes)
      writeFault = fault
      metrics.failures.inc({ reason: fault.code })
      log.error({ err: fault, records: rows.length, bytes }, 'event log failed to commit')
      failingSinceMs ??= options.clock.now()
      // A failed write can leave LMDB's memory in disorder, in which no later one succeeds; a new process can write the file.
      if (fault.code !== 'log_full' && options.clock.now() - failingSinceMs >= FAILING_MS_MAX) options.onPanic?.(fault)
      throw fault
    }
    end()
    metrics.records.inc(rows.length)
    metrics.bytes.inc(bytes)
  }

  /**
   * One transaction, durable when this resolves. It is conditional on our opening still being the latest: a second process on
   * this directory would give out the same offsets.
   */
  async function write(operations: () => void, bytes: number): Promise<void> {
    let isLatestOpening: boolean
    try {
      // A trim has no bytes and may be what makes room.
      if (bytes > 0) refuseFullDisk(options.path, bytes)
      isLatestOpening = await meta.ifVersion(OPENING, opening, operations)
    } catch (error) {
      throw await logFaultOf(error, options, bytes)
    }
    if (!isLatestOpening) throw logUnavailable(`another process has opened ${options.path} since; one directory serves one process`)
    try {
      fillUpFile(options.path, root)
    } catch (error) {
      // The commit is durable all the same, and the next one fills the file up.
      log.warn({ err: error }, 'event log file not filled up')
    }
  }

  function rangeOf(partition: Partition): LogRange {
    const next = appends.durableNext(partition)
    for (const key of records.getKeys({ start: recordKey(partition, 0), end: recordKey(partition, next), limit: 1 })) {
      return { start: offsetOfKey(key), next }
    }
    return { start: next, next }
  }

  function readBetween(partition: Partition, from: Offset, to: Offset): readonly LogRecord[] {
    const found: LogRecord[] = []
    let bytes = 0
    for (const { key, value } of records.getRange({ start: recordKey(partition, from), end: recordKey(partition, to) })) {
      found.push(recordOf(partition, offsetOfKey(key), value))
      bytes += value.length
      if (found.length >= readRecordsMax || bytes >= readBytesMax) break
    }
    return found
  }

  function readForSubscription(partition: Partition, from: Offset): readonly LogRecord[] {
    const recent = tail.from(partition, from, { recordsMax: readRecordsMax, bytesMax: readBytesMax })
    return recent.length > 0 ? recent : readBetween(partition, from, tail.start(partition) ?? appends.durableNext(partition))
  }

  return {
    partitions,
    append(partition, value, receivedAtMs) {
      if (isStopping) return Promise.reject(logUnavailable('it is stopping'))
      return appends.append(partition, value, receivedAtMs)
    },
    async range(partition) {
      return rangeOf(partition)
    },
    async *read(partition, from, to) {
      let at = from
      for (;;) {
        const end = Math.min(to, appends.durableNext(partition)) as Offset
        const found = at < end ? readBetween(partition, at, end) : []
        const last = found.at(-1)
        if (last === undefined) return
        yield found
        at = (last.offset + 1) as Offset
      }
    },
    async subscribe(_group: string, handler: LogHandler) {
      invariant(subscription === null, 'a process has one subscription of the event log')
      const started = startLmdbSubscription({
        partitions,
        handler,
        rangeOf,
        nextOf: appends.durableNext,
        readFrom: readForSubscription,
        onFailure: () => metrics.failures.inc({ reason: 'handler' }),
        clock: options.clock,
        log,
      })
      subscription = started
      return {
        async stop() {
          await started.stop()
          subscription = null
          tail.clear()
        },
      }
    },
    async trim(partition, { beforeOffset, receivedBeforeMs }) {
      // The newest record stays whatever its age: a restart reads the next offset from it.
      const end = Math.min(beforeOffset, appends.durableNext(partition) - 1) as Offset
      for (;;) {
        const doomed: Buffer[] = []
        if (end > 0) {
          for (const { key, value } of records.getRange({
            start: recordKey(partition, 0),
            end: recordKey(partition, end),
            limit: TRIM_RECORDS_MAX,
          })) {
            if (receivedAtOf(value) >= receivedBeforeMs) break
            doomed.push(key)
          }
        }
        if (doomed.length === 0) return
        await write(() => {
          for (const key of doomed) records.remove(key)
        }, 0)
        log.info({ partition, records: doomed.length }, 'trimmed the event log')
      }
    },
    setAside: (record, reason) => writeRecordFiles(options.undecodablePath ?? join(options.path, 'undecodable'), record, reason),
    snapshot: (directory) => copyLmdb(root, directory),
    async ping() {
      if (isStopping) throw logUnavailable('it is stopping')
      // On a disk that does not answer the ping keeps waiting, and the caller gives up on it.
      await appends.committed()
      const fault = writeFault ?? subscription?.fault() ?? null
      if (fault !== null) throw fault
    },
    async stop() {
      isStopping = true
      await subscription?.stop()
      await appends.drain()
      await root.close()
    },
  }
}

const MiB = 1024 * 1024
const GiB = 1024 * MiB
const TRIM_RECORDS_MAX = 64
/** Commits that have failed for this long, and not for want of space, end the process. */
const FAILING_MS_MAX = 20_000
