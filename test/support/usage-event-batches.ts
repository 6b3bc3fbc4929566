import fc from 'fast-check'
import type { CustomerKey, InstantMs, TenantKey } from '../../domain/identity.ts'
import type { UsageEventBatch } from '../../domain/metering/usage-event.ts'

/** Batches with any text and any time that a record can hold; `textMax` counts graphemes. */
export function usageEventBatches({ eventsMax, textMax }: { eventsMax: number; textMax: number }): fc.Arbitrary<UsageEventBatch> {
  const text = fc.string({ unit: 'grapheme', maxLength: textMax })
  const event = fc.record({
    id: text,
    source: text,
    type: text,
    customer: text as fc.Arbitrary<CustomerKey>,
    subject: fc.option(text),
    occurredAtMs: fc.integer({ min: YEAR_1_MS, max: END_OF_YEAR_9999_MS }) as fc.Arbitrary<InstantMs>,
    data: text,
    attributes: fc.option(text),
  })
  return fc.record({ tenant: text as fc.Arbitrary<TenantKey>, events: fc.array(event, { maxLength: eventsMax }) })
}

const YEAR_1_MS = -62_135_596_800_000
const END_OF_YEAR_9999_MS = 253_402_300_799_999
