import type { InstantMs, Partition } from '../../../domain/identity.ts'
import type { AppliedRecord } from '../counters.ts'
import { encodeCounterState } from './redis-counter-state.ts'
import { nameOfCustomer, type RedisKeys } from './redis-keys.ts'

/** Bounds how long one script keeps Redis from other callers: a record is never split, and has fewer events than this. */
const DELTAS_PER_SCRIPT_MAX = 1_000

/** Cuts records into groups for one script each: whole records, in order. */
export function* cutRecords(records: readonly AppliedRecord[]): Iterable<readonly AppliedRecord[]> {
  let part: AppliedRecord[] = []
  let deltas = 0
  for (const record of records) {
    const weight = record.deltas.length + (record.settles?.length ?? 0)
    if (part.length > 0 && deltas + weight > DELTAS_PER_SCRIPT_MAX) {
      yield part
      part = []
      deltas = 0
    }
    part.push(record)
    deltas += weight
  }
  if (part.length > 0) yield part
}

/** Keys and arguments of `lua/apply.lua`: a repeated customer or definition is sent once and referred to by its number. */
export function encodeRecords(keys: RedisKeys, partition: Partition, records: readonly AppliedRecord[], nowMs: InstantMs) {
  const counted = createNumbering()
  const settlers = createNumbering()
  const definitions = createNumbering()
  const counterKeys: string[] = []
  const holdKeys: string[] = []
  const encoded = records.map(({ offset, deltas, settles = [] }) => [
    offset,
    deltas.map(({ tenant, customer, feature, definition, periodStartMs, update }) => {
      const place = counted.placeOf(nameOfCustomer({ tenant, customer }), () => {
        counterKeys.push(...keys.counters({ tenant, customer, partition }))
      })
      return [place, feature, definitions.placeOf(definition), String(periodStartMs), encodeCounterState(update)]
    }),
    settles.map(({ tenant, customer, id }) => {
      const place = settlers.placeOf(nameOfCustomer({ tenant, customer }), () => {
        holdKeys.push(...keys.holds({ tenant, customer, partition }))
      })
      return [place, id]
    }),
  ])
  const names = [keys.partition(partition), keys.settling(partition), ...counterKeys, ...holdKeys]
  const batch = {
    now: nowMs,
    counted: counted.names.length,
    settlers: settlers.names,
    definitions: definitions.names,
    records: encoded,
  }
  return { names, batch: JSON.stringify(batch) }
}

/** Numbers from 1, as Lua counts. */
function createNumbering() {
  const places = new Map<string, number>()
  const names: string[] = []
  return {
    names,
    placeOf(name: string, onNew: () => void = () => undefined): number {
      const known = places.get(name)
      if (known !== undefined) return known
      names.push(name)
      places.set(name, names.length)
      onNew()
      return names.length
    },
  }
}
