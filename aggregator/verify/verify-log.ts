import type { EventLog, LogRecord } from '../../adapters/event-log/event-log.ts'
import type { StoredEvent, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { InstantMs, Offset, Partition } from '../../domain/identity.ts'
import { parsedData } from '../../domain/metering/event-data.ts'
import { eventPrint } from '../../domain/metering/event-hash.ts'
import { DEDUPE_HORIZON_MS, type UsageEventBatch } from '../../domain/metering/usage-event.ts'
import { USAGE_REPORT_TYPE } from '../../domain/metering/usage-report.ts'
import { createDedupeFilter } from '../dedupe/dedupe-filter.ts'
import { type Candidate, createDeduplicator } from '../dedupe/deduplicator.ts'
import { type FoldRecord, storedEvent } from '../fold/record-fold.ts'
import type { Difference } from './difference.ts'

export type LogTotals = {
  /** Where the log began when it was read. */
  readonly fromOffset: Offset
  readonly records: number
  readonly events: number
  /** Events of the log that are in none of the views, as an earlier one has the same key. */
  readonly repeats: number
}

export type LogCheckOptions = {
  readonly eventLog: Pick<EventLog, 'range' | 'read'>
  readonly usageStore: Pick<UsageStore, 'findEvents' | 'scanEvents' | 'scanEventPrints'>
  readonly decode: (value: Uint8Array) => UsageEventBatch
  readonly partition: Partition
  /** The log is compared from its start up to here. */
  readonly toOffset: Offset
  readonly onDifference: (difference: Difference) => void
  /** Called with events of the log that should be stored and are not, in bounded numbers. */
  readonly onMissing?: (events: readonly StoredEvent[]) => Promise<void>
  /** Called with stored events that the log does not have or has with other content, as they are stored. In bounded numbers. */
  readonly onWrong?: (wrong: readonly WrongEvent[]) => Promise<void>
}

export type WrongEvent = { readonly stored: StoredEvent; readonly logged: StoredEvent | null }

/**
 * Compares `events` with the log of one partition, in step. Only place and print of the stored events are read; those whose print
 * differs from the log's are read in full.
 */
export async function checkLog(options: LogCheckOptions): Promise<LogTotals> {
  const { eventLog, usageStore, partition, toOffset, decode, onDifference } = options
  let from = (await eventLog.range(partition)).start
  const repeats = createRepeatLookUp(options)
  const suspects = createSuspects(options)
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

  /** Retention may have dropped the first records after the log was asked for its start. */
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

  /** Moves to the event at this place, or the next one; events in between are not stored. */
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

  /** Returns a promise only when the print differs from the log's, or is not the only one of its place. */
  function compare(offset: Offset, at: number, print: number): Promise<void> | undefined {
    const event = current?.offset === offset ? current.events[at] : undefined
    if (current === null || event === undefined) return suspects.ask({ offset, index: at, logged: null, isAnother: false })
    const isAnother = at < index
    if (!isAnother) index++
    if (!isAnother && print === eventPrint(current.tenant, event, current.receivedAtMs)) return undefined
    return suspects.ask({ offset, index: at, logged: storedEvent(current, event, partition, at), isAnother })
  }

  let [lastOffset, lastIndex, lastPrint] = [-1, -1, -1]
  for await (const prints of usageStore.scanEventPrints({ partition, fromOffset: from, toOffset })) {
    for (let place = 0; place < prints.length; place += 3) {
      const [offset, at, print] = [prints[place] as Offset, prints[place + 1] ?? 0, prints[place + 2] ?? 0]
      if (offset < from || (offset === lastOffset && at === lastIndex && print === lastPrint)) continue
      lastOffset = offset
      lastIndex = at
      lastPrint = print
      if (current !== null && (current.offset !== offset || index < at)) await moveTo(offset, at)
      const handled = compare(offset, at, print)
      if (handled !== undefined) await handled
    }
  }
  await suspects.end()
  await moveTo(toOffset, 0)
  return { fromOffset: from, ...totals, repeats: await repeats.end() }
}

type Suspect = {
  readonly offset: Offset
  readonly index: number
  readonly logged: StoredEvent | null
  /** True at a place that had another row, which differs from this one. */
  readonly isAnother: boolean
}

/** Stored events that may differ from the log's, read many at a time to find out. */
function createSuspects({ usageStore, partition, onDifference, onWrong }: LogCheckOptions) {
  let suspects = new Map<string, Suspect>()

  async function lookAt(): Promise<void> {
    const waiting = suspects
    suspects = new Map()
    if (waiting.size === 0) return
    const wrong: WrongEvent[] = []
    const offsets = [...new Set([...waiting.values()].map(({ offset }) => offset))]
    for await (const events of usageStore.scanEvents({ partition, offsets })) {
      for (const stored of events) {
        const suspect = waiting.get(placeOf(stored))
        if (suspect === undefined) continue
        const { logged, isAnother } = suspect
        if (logged !== null && !isAnother && isSame(stored, logged)) continue
        wrong.push({ stored, logged })
        onDifference(isAnother ? doubleDifference(stored) : wrongDifference(stored, logged))
      }
    }
    if (wrong.length > 0) await onWrong?.(wrong)
  }

  return {
    async ask(suspect: Suspect): Promise<void> {
      suspects.set(placeOf(suspect), suspect)
      if (suspects.size >= LOOKED_UP_TOGETHER) await lookAt()
    },
    end: lookAt,
  }
}

function placeOf({ offset, index }: Pick<StoredEvent, 'offset' | 'index'>): string {
  return `${offset} ${index}`
}

function doubleDifference(stored: StoredEvent): Difference {
  return { view: 'events', where: whereOf(stored), expected: 'one row', found: 'rows that differ at one place' }
}

function wrongDifference(stored: StoredEvent, logged: StoredEvent | null): Difference {
  if (logged === null) {
    return { view: 'events', where: whereOf(stored), expected: 'nothing: the log has no such event', found: 'an event' }
  }
  return { view: 'events', where: whereOf(logged), expected: contentText(logged), found: contentText(stored) }
}

/** Separates events that are missing from those that are not stored because they are repeats, many at a time. */
function createRepeatLookUp({ usageStore, onDifference, onMissing }: LogCheckOptions) {
  const dedupe = createDeduplicator(usageStore, createDedupeFilter(0 as InstantMs))
  let waiting: (Candidate & { readonly event: StoredEvent })[] = []
  /** Later repeats of missing events are not missing themselves. Keys to times of receipt. */
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

/** The stored row of a report that sets usage has its delta in its data; the log does not. */
function withoutDelta(data: string): string {
  return JSON.stringify({ ...parsedData(data), delta: undefined })
}

function contentText({ partition: _partition, offset: _offset, index: _index, ...content }: StoredEvent): string {
  const text = JSON.stringify(content)
  return text.length <= CONTENT_TEXT_MAX ? text : `${text.slice(0, CONTENT_TEXT_MAX)}…`
}

const CONTENT_TEXT_MAX = 500
