import { readFileSync } from 'node:fs'
import type { UsageEventBatch } from '../../domain/metering/usage-event.ts'
import { createSingleObjectCodec } from './single-object-codec.ts'

/** A record's value in the log: Avro single-object encoding, in a buffer of its own. */
export function encodeUsageEventBatch(batch: UsageEventBatch): Uint8Array {
  return codec.encode(batch)
}

/** Throws the Fault `record_undecodable` for damaged bytes and for an unknown schema. */
export function decodeUsageEventBatch(bytes: Uint8Array): UsageEventBatch {
  return codec.decode(bytes)
}

// To evolve: write usage-event-batch.v2.avsc (added fields need a default), make it `current` and v1 `former`, and roll out
// readers before writers. A schema leaves `former` only when no log can hold a record of it any more.
const codec = createSingleObjectCodec<UsageEventBatch>({
  current: JSON.parse(readFileSync(new URL('./usage-event-batch.v1.avsc', import.meta.url), 'utf8')),
})
