import type { EventLog, LogHandler, LogRecord } from '../../adapters/event-log/event-log.ts'
import type { InstantMs, Offset, Partition } from '../../domain/identity.ts'
import type { Caller, Network } from './network.ts'

/** A log in memory. Records stay until they are trimmed; `everything` remembers those too. */
export type EventLogModel = {
  readonly partitions: number
  everything(partition: Partition): readonly LogRecord[]
  append(partition: Partition, value: Uint8Array, receivedAtMs: InstantMs): Offset
  next(partition: Partition): Offset
  read(partition: Partition, from: Offset, recordsMax: number): readonly LogRecord[]
  /** Called after every append. */
  onAppend(listener: () => void): void
  /** The log as one process sees it. */
  portFor(caller: Caller, network: Network, onSubscribe: (handler: LogHandler) => { stop(): Promise<void> }): EventLog
}

export function createEventLogModel(partitions: number): EventLogModel {
  const records: LogRecord[][] = Array.from({ length: partitions }, () => [])
  const starts: number[] = Array.from({ length: partitions }, () => 0)
  const listeners: (() => void)[] = []

  const everything = (partition: Partition) => records[partition] ?? []
  const range = (partition: Partition) => ({ start: (starts[partition] ?? 0) as Offset, next: everything(partition).length as Offset })

  function trim(partition: Partition, beforeOffset: Offset, receivedBeforeMs: InstantMs): void {
    let start = starts[partition] ?? 0
    // The newest record stays, as in the real logs.
    const end = Math.min(beforeOffset, everything(partition).length - 1)
    while (start < end && (everything(partition)[start]?.receivedAtMs ?? receivedBeforeMs) < receivedBeforeMs) start++
    starts[partition] = start
  }

  return {
    partitions,
    everything,
    append(partition, value, receivedAtMs) {
      const offset = everything(partition).length as Offset
      records[partition]?.push({ partition, offset, receivedAtMs, value })
      for (const listener of listeners) listener()
      return offset
    },
    next: (partition) => range(partition).next,
    read(partition, from, recordsMax) {
      const first = Math.max(from, range(partition).start)
      return everything(partition).slice(first, first + recordsMax)
    },
    onAppend: (listener) => void listeners.push(listener),
    portFor(caller, network, onSubscribe) {
      return {
        partitions,
        append: () => Promise.reject(new Error('an aggregator appends nothing')),
        range: (partition) => network.call(caller, () => range(partition)),
        read: () => {
          throw new Error('an aggregator reads through its subscription')
        },
        subscribe: async (_group, handler) => onSubscribe(handler),
        trim: (partition, { beforeOffset, receivedBeforeMs }) =>
          network.call(caller, () => trim(partition, beforeOffset, receivedBeforeMs)),
        setAside: () => Promise.reject(new Error('every record of this log can be decoded')),
        ping: async () => undefined,
        stop: async () => undefined,
      }
    },
  }
}
