import { Fault } from '../../../base/fault.ts'
import { invariant } from '../../../base/invariant.ts'
import type { InstantMs, Offset, Partition } from '../../../domain/identity.ts'
import { RECORD_BYTES_MAX } from '../event-log.ts'

export type PlacedRecord = {
  readonly partition: Partition
  readonly offset: Offset
  readonly receivedAtMs: InstantMs
  readonly value: Uint8Array
}

export type GroupCommit = {
  append(partition: Partition, value: Uint8Array, receivedAtMs: InstantMs): Promise<Offset>
  /** The next offset of a partition, counting durable records only; readers must not go beyond. */
  durableNext(partition: Partition): Offset
  unacknowledgedBytes(): number
  /** Resolves when the commit under way has ended, well or not; at once when there is none. */
  committed(): Promise<void>
  /** Resolves when nothing is queued or under way. */
  drain(): Promise<void>
}

/**
 * One commit at a time; everything appended meanwhile goes into the next one, so the groups grow as the disk slows down. An
 * offset is given out only when its commit begins, so that a failed commit leaves no gap.
 */
export function createGroupCommit(options: {
  /** Next offset of each partition at the start. */
  readonly next: readonly Offset[]
  readonly unacknowledgedBytesMax: number
  /** Makes these records durable, all or none; rejects with a Fault. */
  readonly commit: (records: readonly PlacedRecord[]) => Promise<void>
  readonly onDurable: (partitions: ReadonlySet<Partition>) => void
}): GroupCommit {
  const next = [...options.next]
  let queue: Append[] = []
  let unacknowledgedBytes = 0
  let running: Promise<void> | null = null
  let commit: Promise<void> = Promise.resolve()

  async function commitQueued(): Promise<void> {
    // Appends made in this same turn belong to the first group.
    await Promise.resolve()
    while (queue.length > 0) {
      const group = queue
      queue = []
      commit = commitGroup(group)
      await commit
    }
    running = null
  }

  async function commitGroup(group: readonly Append[]): Promise<void> {
    const upcoming = [...next]
    const placed = group.map(({ partition, value, receivedAtMs }) => {
      const offset = upcoming[partition] as Offset
      upcoming[partition] = (offset + 1) as Offset
      return { partition, offset, receivedAtMs, value }
    })
    let fault: unknown = null
    try {
      await options.commit(placed)
    } catch (error) {
      fault = error
    }
    for (const { value } of group) unacknowledgedBytes -= value.byteLength
    if (fault !== null) {
      for (const { reject } of group) reject(fault)
      return
    }
    upcoming.forEach((offset, partition) => {
      next[partition] = offset
    })
    group.forEach(({ resolve }, index) => {
      resolve(placed[index]?.offset as Offset)
    })
    options.onDurable(new Set(group.map(({ partition }) => partition)))
  }

  return {
    append(partition, value, receivedAtMs) {
      invariant(partition in next, `partition ${partition} is below ${next.length}`)
      invariant(value.byteLength <= RECORD_BYTES_MAX, `a record of ${value.byteLength} bytes is at most ${RECORD_BYTES_MAX}`)
      if (unacknowledgedBytes + value.byteLength > options.unacknowledgedBytesMax) {
        return Promise.reject(overloaded(unacknowledgedBytes, options.unacknowledgedBytesMax))
      }
      unacknowledgedBytes += value.byteLength
      return new Promise((resolve, reject) => {
        queue.push({ partition, value, receivedAtMs, resolve, reject })
        running ??= commitQueued()
      })
    },
    durableNext: (partition) => next[partition] as Offset,
    unacknowledgedBytes: () => unacknowledgedBytes,
    committed: () => commit,
    async drain() {
      while (running !== null) await running
    },
  }
}

type Append = {
  readonly partition: Partition
  readonly value: Uint8Array
  readonly receivedAtMs: InstantMs
  readonly resolve: (offset: Offset) => void
  readonly reject: (error: unknown) => void
}

function overloaded(bytes: number, bytesMax: number): Fault {
  return new Fault(
    'log_overloaded',
    `The event log has ${bytes} bytes waiting to be written, of at most ${bytesMax}: the disk is behind.`,
    {
      canRetry: true,
      publicText: 'More events arrive than can be written. Nothing of this append was kept; try again in a moment.',
    },
  )
}
