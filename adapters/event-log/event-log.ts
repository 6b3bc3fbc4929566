import type { InstantMs, Offset, Partition } from '../../domain/identity.ts'

/** One durable record. `value` is an encoded UsageEventBatch; the log does not look inside. */
export type LogRecord = {
  readonly partition: Partition
  readonly offset: Offset
  /** Time of receipt at the gateway, never the events' own time: retention and dedupe go by it. */
  readonly receivedAtMs: InstantMs
  readonly value: Uint8Array
}

/** Offsets in the log: `start` is the oldest record, `next` the offset of the next append. Empty when equal. */
export type LogRange = { readonly start: Offset; readonly next: Offset }

/**
 * The consumer's side. The log calls `assigned` before the first records of a partition and `revoked` after the last; all calls
 * for one partition are in order and one at a time, and the next records come only after the promise of the last ones has
 * resolved: that is the back-pressure. Partitions run in parallel.
 */
export type LogHandler = {
  /** The offset to read on from. Called at the start and on every rebalance that gives this partition to us. */
  assigned(partition: Partition): Promise<Offset>
  revoked(partition: Partition): Promise<void>
  /** At least one record, ascending offsets without order between calls of other partitions. */
  records(partition: Partition, records: readonly LogRecord[]): Promise<void>
}

export type LogSubscription = {
  /** Resolves when the handler has returned for the last time and every partition was revoked. */
  stop(): Promise<void>
}

/**
 * The event log: N partitions of records, append only. Everything else in the system is a view of it. Errors are `Fault`s:
 * `log_unavailable` (canRetry), `log_full` (no space; canRetry), `log_corrupt` (not).
 */
export type EventLog = {
  /** Fixed when the log is created, as customers would move between partitions. */
  readonly partitions: number
  /**
   * Resolves once the record is durable (fsynced, or acknowledged by all in-sync replicas). Appends of one partition
   * keep their order. A rejected append may or may not be in the log: the caller's retry is a repeat, and dedupe drops it.
   */
  append(partition: Partition, value: Uint8Array, receivedAtMs: InstantMs): Promise<Offset>
  range(partition: Partition): Promise<LogRange>
  /**
   * Records with `from <= offset < to` in order, in arrays of bounded size; for verify and replay. Starts at the oldest record
   * when `from` has been dropped.
   */
  read(partition: Partition, from: Offset, to: Offset): AsyncIterable<readonly LogRecord[]>
  /** One subscription per process. `group` names the consumers that share the partitions. */
  subscribe(group: string, handler: LogHandler): Promise<LogSubscription>
  /** May drop records below `beforeOffset` received before `receivedBeforeMs`. Does nothing where the log's own retention drops them. */
  trim(partition: Partition, limits: { readonly beforeOffset: Offset; readonly receivedBeforeMs: InstantMs }): Promise<void>
  /**
   * Keeps a record that cannot be decoded, with the reason and its place in the log, for a person to look at; durable when it
   * resolves. The same record may come again after a crash: it is kept under the same name.
   */
  setAside(record: LogRecord, reason: string): Promise<void>
  /**
   * Copies the whole store into a directory, as of one moment and while it goes on; a store can be opened there. Absent where a
   * server keeps the data.
   */
  snapshot?(directory: string): Promise<void>
  /** Rejects with the fault that keeps the log from working, naming its address and the next move. */
  ping(): Promise<void>
  /** Waits for appends under way, then lets go of files and connections. */
  stop(): Promise<void>
}

/** The largest record that `append` takes: 1 MB, below the 1 MiB of Kafka's own default bound. */
export const RECORD_BYTES_MAX = 1_000_000
