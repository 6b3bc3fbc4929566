import type { StoredEvent, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Offset } from '../../domain/identity.ts'
import { RECORD_EVENTS_MAX } from '../../domain/metering/usage-event.ts'
import type { MeterGroups, MeterLookup } from '../fold/event-plans.ts'
import { countEvent, type FoldCustomer, type FoldState } from '../fold/record-fold.ts'
import { checkDue, createSeriesLookUp, isCheckDue, seedSeries } from '../fold/series-look-up.ts'
import { bringBack, createAwayWindows } from '../fold/stored-windows.ts'
import { enterRecord, isOfChunk, letGoOfWindows, takeRows } from '../fold/window-fold.ts'
import type { WindowMemory } from './window-memory.ts'

/**
 * Counts stored events into windows: those of a chunk that the log no longer has as a whole, or of a meter made after them. When
 * memory is short, rows are written on the way.
 */
export type StoredFold = {
  /** Events come in the order of the log, in arrays that may end in the middle of a record. */
  count(events: readonly StoredEvent[]): Promise<void>
  /** To be called after the last event. */
  write(): Promise<void>
}

export function createStoredFold(deps: {
  readonly usageStore: Pick<UsageStore, 'windowRows' | 'seriesOfDays' | 'seriesOfMeters' | 'write'>
  readonly state: FoldState
  readonly lookup: MeterLookup & MeterGroups
  readonly memory: WindowMemory
  customerOf(event: StoredEvent): FoldCustomer
}): StoredFold {
  const { usageStore, state, lookup, memory, customerOf } = deps
  const { windows } = state
  let counted = -1 as Offset

  async function write(): Promise<void> {
    const rows = takeRows(windows)
    if (rows.length > 0) await usageStore.write({ events: [], windows: rows, positions: [] })
  }

  async function makeRoom(): Promise<void> {
    const isOver = memory.isOver(windows)
    if (isOver || windows.closed.length >= ROWS_PER_WRITE_MIN) await write()
    if (isOver) letGoOfWindows(windows)
  }

  /** Before a record: the rest of it may come in another array. */
  async function checkSeries(events: readonly StoredEvent[]): Promise<void> {
    await seedSeries(usageStore, lookup.groups(), windows.chunkBase > 0)
    const eventsMax = events.length + RECORD_EVENTS_MAX
    if (!isCheckDue(lookup.groups(), eventsMax)) return
    // What was counted unchecked must be in the store, where the days are read from.
    await write()
    checkDue(lookup.groups(), eventsMax)
  }

  async function readSeriesOf(events: readonly StoredEvent[]): Promise<void> {
    const series = createSeriesLookUp(windows, lookup)
    for (const event of events) series.note(event, event.tenant)
    await series.load(usageStore)
  }

  async function bringBackFor(events: readonly StoredEvent[], next: Offset): Promise<void> {
    if (windows.letGo.isEmpty()) return
    const away = createAwayWindows(windows, lookup)
    for (const event of events) if (isOfChunk(windows, event.offset)) away.note(event, event.tenant, customerOf(event))
    await bringBack(usageStore, windows, away, next)
  }

  return {
    write,
    async count(events) {
      for (let from = 0; from < events.length; ) {
        const isRest = events[from]?.offset === counted
        const some = events.slice(from, endOfRecord(events, from + (isRest ? 1 : EVENTS_AT_ONCE)))
        const [first] = some
        if (first === undefined) return
        // Not in the middle of a record, as a row with the record's offset as its version holds all of it.
        if (!isRest) {
          await makeRoom()
          await checkSeries(some)
        }
        await readSeriesOf(some)
        await bringBackFor(some, first.offset)
        for (const event of some) {
          enterRecord(windows, event.offset)
          countEvent(state, event, lookup, customerOf(event))
          counted = event.offset
        }
        from += some.length
      }
    },
  }
}

const EVENTS_AT_ONCE = 1_000
const ROWS_PER_WRITE_MIN = 20_000

/** The first place from there on where another record begins. */
function endOfRecord(events: readonly StoredEvent[], from: number): number {
  let end = from
  while (end < events.length && events[end]?.offset === events[end - 1]?.offset) end++
  return end
}
