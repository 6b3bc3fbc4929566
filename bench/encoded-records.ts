import { encodeUsageEventBatch } from '../schemas/avro/usage-event-batch.ts'
import { TENANT, usageEvents } from './stage-fixture.ts'

/** Records of the event log as ingest writes them, of `recordEvents` events each. */
export function encodedRecords(count: number, recordEvents: number): Uint8Array[] {
  const events = usageEvents(count, 1, Date.now())
  const records: Uint8Array[] = []
  for (let from = 0; from < events.length; from += recordEvents)
    records.push(encodeUsageEventBatch({ tenant: TENANT, events: events.slice(from, from + recordEvents) }))
  return records
}
