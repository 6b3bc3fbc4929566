import { join } from 'node:path'
import { type Database, open, type RootDatabase } from 'lmdb'
import type { Logger } from 'pino'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { tellMemory } from '../../../base/bounds/memory-owners.ts'
import type { Clock } from '../../../base/clock.ts'
import { Fault } from '../../../base/fault.ts'
import { invariant } from '../../../base/invariant.ts'
import type { Offset, Partition } from '../../../domain/identity.ts'
import { lmdbFailure, type OnPanic } from '../../lmdb/lmdb-failure.ts'
import { type CutOffFile, fillUpFile, findCutOffFile } from '../../lmdb/lmdb-file-length.ts'
import { refuseFullDisk } from '../../lmdb/refuse-full-disk.ts'
import type { EventLog, LogHandler, LogRange, LogRecord } from '../event-log.ts'
import { createGroupCommit, type PlacedRecord } from './group-commit.ts'
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
  const store = openStore(options.path)
  const { root, records, meta } = store
  const opening = await checkPartitions(store, options)
    .then(() => nextOpening(meta))
    .catch(async (error: unknown) => {
      const fault = error instanceof Fault ? error : await faultOf(error, options, 0)
      await root.close()
      throw fault
    })
  const metrics = createMetrics(options.registry, () => appends.unacknowledgedBytes())
  let subscription: LmdbSubscription | null = null
  let isStopping = false
  let writeFault: unknown = null

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
      if (held + bytes > storedBytesMax) throw full(`it holds ${held} bytes of at most ${storedBytesMax}`)
      await write(() => {
        for (const { key, stored } of rows) records.put(key, stored)
      }, bytes)
      writeFault = null
      if (subscription !== null) for (const { record, stored } of rows) tail.keep({ ...record, value: valueOfStored(stored) })
    } catch (error) {
      const fault = error instanceof Fault ? error : await faultOf(error, options, bytes)
      writeFault = fault
      metrics.failures.inc({ reason: fault.code })
      log.error({ err: fault, records: rows.length, bytes }, 'event log failed to commit')
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
      throw await faultOf(error, options, bytes)
    }
    if (!isLatestOpening) throw unavailable(`another process has opened ${options.path} since; one directory serves one process`)
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
      if (isStopping) return Promise.reject(unavailable('it is stopping'))
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
    async ping() {
      if (isStopping) throw unavailable('it is stopping')
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

type Store = {
  readonly root: RootDatabase<Buffer, Buffer>
  readonly records: Database<Buffer, Buffer>
  readonly meta: Database<number, string>
}

const MiB = 1024 * 1024
const GiB = 1024 * MiB
const OPENING = 'opening'
const PARTITIONS = 'partitions'
const TRIM_RECORDS_MAX = 64

function openStore(path: string): Store {
  try {
    refuseCutOff(path, null)
    const root = open<Buffer, Buffer>({
      path,
      noSubdir: false,
      encoding: 'binary',
      keyEncoding: 'binary',
      // A commit ends only after its fsync, so its promise is the proof of durability; with overlapping syncs it is not.
      overlappingSync: false,
      // Batches are ours. With lmdb's own batches a failed commit leaves a rejected promise behind that nobody can handle.
      eventTurnBatching: false,
    })
    refuseCutOff(path, root)
    return {
      root,
      records: root.openDB({ name: 'records', encoding: 'binary', keyEncoding: 'binary' }),
      meta: root.openDB({ name: 'meta', encoding: 'json', keyEncoding: 'ordered-binary', useVersions: true }),
    }
  } catch (cause) {
    if (cause instanceof Fault) throw cause
    throw unavailable(`${path} could not be opened: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
}

/** The number of partitions decides where every customer's events lie; it is written when the log is created and never changes. */
async function checkPartitions({ meta }: Store, { partitions, path }: LmdbEventLogOptions): Promise<void> {
  const stored = meta.get(PARTITIONS)
  if (stored === undefined) await meta.put(PARTITIONS, partitions, 1)
  else if (stored !== partitions) {
    throw new Fault(
      'log_partitions_differ',
      `The event log in ${path} was made with ${stored} partitions and cannot be opened with ${partitions}. Start with ${stored}, or with an empty directory.`,
      { canRetry: false, publicText: 'The event log is set up wrongly.' },
    )
  }
}

/**
 * Counts how often the log was opened. The write also syncs what a killed process may have committed and not synced, so that no
 * view is fed a record that a power cut could still take back.
 */
async function nextOpening(meta: Store['meta']): Promise<number> {
  const opening = (meta.get(OPENING) ?? 0) + 1
  await meta.put(OPENING, opening, opening)
  return opening
}

function endOf(records: Store['records'], partition: number): Offset {
  const range = {
    start: recordKey(partition, Number.MAX_SAFE_INTEGER),
    end: recordKey(partition, 0),
    inclusiveEnd: true,
    reverse: true,
    limit: 1,
  }
  for (const key of records.getKeys(range)) return (offsetOfKey(key) + 1) as Offset
  return 0 as Offset
}

/** Bytes of pages in use by records; pages that trimming freed are used again and do not count. */
function heldBytes(records: Store['records']): number {
  const stats = records.getStats() as Readonly<Record<'pageSize' | 'treeBranchPageCount' | 'treeLeafPageCount' | 'overflowPages', number>>
  return (stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages) * stats.pageSize
}

function refuseCutOff(path: string, root: RootDatabase<Buffer, Buffer> | null): void {
  const cutOff = findCutOffFile(path, root)
  if (cutOff !== null) throw cutOffFault(cutOff)
}

function cutOffFault({ file, foundBytes, pagesBytes }: CutOffFile): Fault {
  return new Fault(
    'log_truncated',
    `The event log is cut off: ${file} has ${foundBytes} bytes and its pages take ${pagesBytes}, so events that were acknowledged may be missing. Nothing was changed. Restore the file from a copy; docs/guarantees.md says what else can be done.`,
    { canRetry: false, publicText: 'The event log is damaged.' },
  )
}

async function faultOf(error: unknown, { path, onPanic }: Pick<LmdbEventLogOptions, 'path' | 'onPanic'>, bytes: number): Promise<Fault> {
  const { cause, isFull, isPanic, text } = await lmdbFailure(error, path, bytes)
  const fault = isFull ? full(text, cause) : unavailable(text, cause)
  if (isPanic) onPanic?.(fault)
  return fault
}

function full(why: string, cause?: unknown): Fault {
  return new Fault('log_full', `The event log is full: ${why}. Make space, or shorten its retention.`, {
    canRetry: true,
    publicText: 'There is no space to keep more events. Nothing of this append was kept.',
    cause,
  })
}

function unavailable(why: string, cause?: unknown): Fault {
  return new Fault('log_unavailable', `The event log cannot be used: ${why}.`, {
    canRetry: true,
    publicText: 'The event log cannot be written at the moment.',
    cause,
  })
}

function createMetrics(registry: Registry, unacknowledgedBytes: () => number) {
  const registers = [registry]
  tellMemory(registry, 'log_tail', unacknowledgedBytes)
  new Gauge({
    name: 'tollgate_log_unacknowledged_bytes',
    help: 'Appended and not yet durable',
    registers,
    collect() {
      this.set(unacknowledgedBytes())
    },
  })
  return {
    records: new Counter({ name: 'tollgate_log_records_total', help: 'Records made durable', registers }),
    bytes: new Counter({ name: 'tollgate_log_bytes_total', help: 'Bytes made durable', registers }),
    failures: new Counter({
      name: 'tollgate_log_failures_total',
      help: 'Failed commits and handler calls',
      labelNames: ['reason'] as const,
      registers,
    }),
    commitSeconds: new Histogram({
      name: 'tollgate_log_commit_seconds',
      help: 'Time of one group commit, fsync included',
      buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers,
    }),
  }
}
