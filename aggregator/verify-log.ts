import type { EventLog, LogRecord } from '../adapters/event-log/event-log.ts'
import type { StoredEvent, UsageStore } from '../adapters/usage-store/usage-store.ts'
import type { InstantMs, Offset, Partition } from '../domain/identity.ts'
import { DEDUPE_HORIZON_MS, type UsageEventBatch } from '../domain/usage-event.ts'
import { USAGE_REPORT_TYPE } from '../domain/usage-report.ts'
import { createDedupeFilter } from './dedupe-filter.ts'
import { type Candidate, createDeduplicator } from './deduplicator.ts'
import type { Difference } from './difference.ts'
import { type FoldRecord, parsedData, storedEvent } from './record-fold.ts'

/** `events` beside the log of one partition, both read once, in step. */
export type LogCheck = {
  /** Stored events in the order of the log. */
  add(events: readonly StoredEvent[]): Promise<void>
  /** No more are stored: passes over what is left of the log. */
  end(): Promise<LogTotals>
}

export type LogTotals = {
  /** Where the log began when it was read. */
  readonly fromOffset: Offset
  readonly records: number
  readonly events: number
  /** Events of the log that are in none of the views, as an earlier one has their key. */
  readonly repeats: number
}

export type LogCheckOptions = {
  readonly eventLog: Pick<EventLog, 'range' | 'read'>
  readonly usageStore: Pick<UsageStore, 'findEvents'>
  readonly decode: (value: Uint8Array) => UsageEventBatch
  readonly partition: Partition
  /** The log is compared from its start up to here. */
  readonly toOffset: Offset
  readonly onDifference: (difference: Difference) => void
  /** Events of the log that should be stored and are not, in bounded numbers. */
  readonly onMissing?: (events: readonly StoredEvent[]) => Promise<void>
  /** A stored event that the log does not have, or has otherwise: then as it is there. */
  readonly onWrong?: (stored: StoredEvent, logged: StoredEvent | null) => Promise<void>
}

export async function createLogCheck(options: LogCheckOptions): Promise<LogCheck> {
  const { eventLog, partition, toOffset, decode, onDifference } = options
  let from = (await eventLog.range(partition)).start
  const repeats = createRepeatLookUp(options)
  const totals = { records: 0, events: 0 }
  const records = decoded()
  let index = 0
  let current = await nextRecord()

  async function* decoded(): AsyncGenerator<FoldRecord> {
    for await (const batch of eventLog.read(partition, from, toOffset)) {
      for (const record of batch) {
        if (totals.records === 0 && record.offset > from) await skipTrimmed(record)
        totals.records++
        const fold = decodedRecord(record)
        if (fold === null) continue
        totals.events += fold.events.length
        yield fold
      }
    }
  }

  /** Retention may have taken the first records after the log was asked for its start. */
  async function skipTrimmed({ offset }: LogRecord): Promise<void> {
    from = Math.min(offset, (await eventLog.range(partition)).start) as Offset
  }

  function decodedRecord({ offset, receivedAtMs, value }: LogRecord): FoldRecord | null {
    try {
      return { ...decode(value), offset, receivedAtMs }
    } catch (error) {
      const found = error instanceof Error ? error.message : String(error)
      onDifference({
        view: 'event_log',
        where: `partition ${partition}, offset ${offset}`,
        expected: 'a record that can be decoded',
        found,
      })
      return null
    }
  }

  async function nextRecord(): Promise<FoldRecord | null> {
    index = 0
    const { value, done } = await records.next()
    return done === true ? null : value
  }

  /** Moves to the event at this place, or the next one; what lies between is not stored. */
  async function moveTo(offset: Offset, toIndex: number): Promise<void> {
    while (current !== null && current.offset < offset) {
      while (index < current.events.length) await passOver(current, index++)
      current = await nextRecord()
    }
    if (current?.offset === offset) while (index < Math.min(toIndex, current.events.length)) await passOver(current, index++)
  }

  async function passOver(record: FoldRecord, at: number): Promise<void> {
    const event = record.events[at]
    if (event !== undefined) await repeats.ask(storedEvent(record, event, partition, at))
  }

  /** What is to be waited for, when they differ. */
  function compare(stored: StoredEvent): Promise<void> | undefined {
    const at = index
    const record = current?.offset === stored.offset && at === stored.index ? current : null
    const event = record?.events[at]
    if (record === null || event === undefined) {
      onDifference({ view: 'events', where: whereOf(stored), expected: 'nothing: the log has no such event', found: 'an event' })
      return options.onWrong?.(stored, null)
    }
    index++
    const logged = storedEvent(record, event, partition, at)
    if (isSame(stored, logged)) return undefined
    onDifference({ view: 'events', where: whereOf(logged), expected: contentText(logged), found: contentText(stored) })
    return options.onWrong?.(stored, logged)
  }

  return {
    async add(events) {
      for (const event of events) {
        if (event.offset < from || event.offset >= toOffset) continue
        if (current !== null && (current.offset !== event.offset || index !== event.index)) await moveTo(event.offset, event.index)
        const handled = compare(event)
        if (handled !== undefined) await handled
      }
    },
    async end() {
      await moveTo(toOffset, 0)
      return { fromOffset: from, ...totals, repeats: await repeats.end() }
    },
  }
}

/** Tells events that are not stored as they are repeats from those that are missing, many at a time. */
function createRepeatLookUp({ usageStore, onDifference, onMissing }: LogCheckOptions) {
  const dedupe = createDeduplicator(usageStore, createDedupeFilter(0 as InstantMs))
  let waiting: (Candidate & { readonly event: StoredEvent })[] = []
  /** Their later repeats are not missing. Keys to times of receipt. */
  let missing = new Map<string, number>()
  let repeats = 0

  async function lookUp(): Promise<void> {
    if (waiting.length === 0) return
    const stored = await dedupe.lookUp(waiting)
    const lost: StoredEvent[] = []
    for (const candidate of waiting) {
      const { event, receivedAtMs } = candidate
      const key = JSON.stringify([event.tenant, event.customer, event.source, event.id])
      const before = missing.get(key)
      if (stored.has(candidate) || (before !== undefined && receivedAtMs - before <= DEDUPE_HORIZON_MS)) {
        repeats++
        continue
      }
      if (missing.size >= MISSING_KEPT_MAX) missing = new Map()
      missing.set(key, receivedAtMs)
      lost.push(event)
      onDifference({ view: 'events', where: whereOf(event), expected: contentText(event), found: 'nothing' })
    }
    waiting = []
    if (lost.length > 0) await onMissing?.(lost)
  }

  return {
    async ask(event: StoredEvent): Promise<void> {
      const { tenant, receivedAtMs, offset, index } = event
      waiting.push({ tenant, event, hash: 0, receivedAtMs, offset, index })
      if (waiting.length >= LOOKED_UP_TOGETHER) await lookUp()
    },
    async end(): Promise<number> {
      await lookUp()
      return repeats
    },
  }
}

const LOOKED_UP_TOGETHER = 5_000
const MISSING_KEPT_MAX = 100_000

function whereOf({ partition, offset, index, customer, id }: StoredEvent): string {
  return `partition ${partition}, offset ${offset}, index ${index}, event ${id} of customer ${customer}`
}

function isSame(a: StoredEvent, b: StoredEvent): boolean {
  return (
    a.tenant === b.tenant &&
    a.id === b.id &&
    a.source === b.source &&
    a.type === b.type &&
    a.customer === b.customer &&
    a.subject === b.subject &&
    a.occurredAtMs === b.occurredAtMs &&
    a.receivedAtMs === b.receivedAtMs &&
    a.attributes === b.attributes &&
    (a.data === b.data || (a.type === USAGE_REPORT_TYPE && withoutDelta(a.data) === withoutDelta(b.data)))
  )
}

/** The stored row of a report that sets usage has what it adds in its data; the log has not. */
function withoutDelta(data: string): string {
  return JSON.stringify({ ...parsedData(data), delta: undefined })
}

function contentText({ partition: _partition, offset: _offset, index: _index, ...content }: StoredEvent): string {
  const text = JSON.stringify(content)
  return text.length <= CONTENT_TEXT_MAX ? text : `${text.slice(0, CONTENT_TEXT_MAX)}…`
}

const CONTENT_TEXT_MAX = 500
