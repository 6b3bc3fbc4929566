import type { EventScan, StoredEvent, UsageStore } from '../adapters/usage-store/usage-store.ts'
import type { DimensionFilter } from '../domain/metering/dimension-filter.ts'
import { parsedData } from '../domain/metering/event-data.ts'
import { type EventReading, eventTypesOf, readEvent } from '../domain/metering/event-reading.ts'
import type { Meter } from '../domain/metering/meter.ts'
import { matchesFilter } from '../domain/metering/metering.ts'

/** A stored event that counts, with the amount it adds. */
export type CountedEvent = { readonly event: StoredEvent } & EventReading

/** The events of a scan that a meter counts and a filter lets pass. Events that the meter cannot read count for nothing. */
export async function* countedEvents(
  usageStore: Pick<UsageStore, 'scanEvents'>,
  { meter, filter }: { readonly meter: Meter; readonly filter: DimensionFilter },
  scan: Omit<EventScan, 'tenant' | 'types'>,
): AsyncIterable<CountedEvent> {
  for await (const events of usageStore.scanEvents({ ...scan, tenant: meter.tenant, types: eventTypesOf(meter) })) {
    for (const event of events) {
      const read = readEvent(meter, event, parsedData(event.data))
      if (read !== null && !('unreadable' in read.reading) && matchesFilter(filter, read.dimensions)) yield { event, ...read }
    }
  }
}
