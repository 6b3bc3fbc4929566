import {
  type CompiledMeter,
  compiledMeter,
  parsedValue,
  UNREADABLE_REASONS,
  type Unreadable,
} from '../../domain/metering/expressions/compiled-meter.ts'
import { propertyNames } from '../../domain/metering/expressions/property-names.ts'
import type { Meter } from '../../domain/metering/meter.ts'

/** How the meters of one event type read an event's data. */
export type TypeReader = {
  /** The first value that could not be read, as the same object for the same value; null when all could. */
  firstUnread(data: object): UnreadValue | null
  /** Top-level properties of `data` that some meter reads. */
  readonly names: ReadonlySet<string>
}
export type UnreadValue = { readonly meter: Meter; readonly reason: Unreadable }

export type TypeReaders = ReadonlyMap<string, TypeReader>

/** By event type; a type that no meter reads is absent. */
export function createTypeReaders(meters: readonly Meter[]): TypeReaders {
  const byType = Map.groupBy(meters, ({ eventType }) => eventType)
  return new Map([...byType].map(([type, ofType]) => [type, createTypeReader(ofType)]))
}

function createTypeReader(meters: readonly Meter[]): TypeReader {
  const names = new Set(meters.flatMap((meter) => [...propertyNames(meter)]))
  // Meters that differ only in their dimensions read the same values, so one of them is enough.
  const differing = [
    ...new Map(meters.filter(({ aggregation }) => aggregation !== 'count').map((meter) => [readingKey(meter), meter])).values(),
  ]
  const readers = differing.map((meter) => ({
    read: compiledMeter(meter).read,
    unread: Object.fromEntries(UNREADABLE_REASONS.map((reason) => [reason, { meter, reason }])) as Readonly<
      Record<Unreadable, UnreadValue>
    >,
    plainNames: plainNamesOf(meter),
  }))
  const plainNames = [...new Set(readers.flatMap((reader) => reader.plainNames ?? []))]
  const readersOfOther = readers.filter((reader) => reader.plainNames === null)
  return {
    names,
    firstUnread: (data) => unreadBy(areWholeNumbers(data, plainNames) ? readersOfOther : readers, data),
  }
}

type Reader = { readonly read: CompiledMeter['read']; readonly unread: Readonly<Record<Unreadable, UnreadValue>> }

function unreadBy(readers: readonly Reader[], data: object): UnreadValue | null {
  for (const { read, unread } of readers) {
    const reading = read(data)
    if (typeof reading === 'string' && reading !== 'not_selected') return unread[reading]
  }
  return null
}

/** Every meter can read whole numbers, so nothing has to be evaluated. */
function areWholeNumbers(data: object, names: readonly string[]): boolean {
  for (const name of names) {
    const value = (data as Readonly<Record<string, unknown>>)[name]
    if (typeof value !== 'number' || value < 0 || !Number.isSafeInteger(value)) return false
  }
  return true
}

/** The properties when everything that the meter reads is a top-level property of `data`; null for all other meters. */
function plainNamesOf({ aggregation, value }: Meter): readonly string[] | null {
  if (aggregation === 'unique') return null
  const names = value.map((text) => {
    const expression = parsedValue(text)
    return expression.kind === 'property' && expression.path.steps.length === 1 ? expression.path.steps[0] : undefined
  })
  return names.every((name) => name !== undefined) ? names : null
}

function readingKey({ aggregation, value, where, onInexact, allowNegative }: Meter): string {
  return JSON.stringify([aggregation === 'unique', value, where, onInexact, allowNegative])
}
