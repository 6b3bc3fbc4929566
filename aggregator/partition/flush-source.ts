import type { EncodedEvents, UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Offset } from '../../domain/identity.ts'
import type { FoldState } from '../fold/record-fold.ts'
import { rowsWaiting, takeRows } from '../fold/window-fold.ts'
import type { PartitionCustomers } from '../tracking/partition-customers.ts'
import type { FlushSource } from './flusher.ts'

export type FoldedSource = FlushSource & {
  /** Called after each record, with its bytes in the log. Encodes the folded events when they are many. */
  folded(recordBytes: number): void
}

/** Rows of one partition that are folded and in no flush yet. */
export function createFlushSource(
  state: FoldState,
  customers: PartitionCustomers,
  usageStore: Pick<UsageStore, 'encodeEvents'>,
  encodedTogether: number,
): FoldedSource {
  let takenNext = state.storedNext
  let encodedEvents: EncodedEvents[] = []
  let encodedRows = 0
  let recordBytesWaiting = 0
  return {
    partition: state.partition,
    rowsWaiting: () => state.events.length + encodedRows + rowsWaiting(state.windows),
    bytesWaiting: () => recordBytesWaiting,
    folded(recordBytes) {
      // A record that is folded again for its chunk's totals leaves no events.
      if (state.next > state.storedNext) recordBytesWaiting += recordBytes
      if (state.events.length < encodedTogether) return
      encodedEvents.push(usageStore.encodeEvents(state.events))
      encodedRows += state.events.length
      state.events = []
    },
    take() {
      // While a chunk is folded again the position stays where it was.
      const next = Math.max(state.next, state.storedNext) as Offset
      const { events } = state
      const windows = takeRows(state.windows)
      if (next === takenNext && events.length === 0 && encodedRows === 0 && windows.length === 0) return null
      const part = { events, encodedEvents, windows, next, newCustomers: customers.takeNew() }
      state.events = []
      encodedEvents = []
      encodedRows = 0
      recordBytesWaiting = 0
      takenNext = next
      return part
    },
    written(next) {
      if (next > state.storedNext) state.storedNext = next
    },
  }
}
