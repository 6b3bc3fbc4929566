import type { CompiledMeter } from '../../domain/metering/expressions/compiled-meter.ts'
import { OTHER_VALUE, seriesHash } from '../../domain/metering/series.ts'
import { addSeries, createSeriesSet, type SeriesSet } from './series-set.ts'

/** One combination of dimension values, kept once for all windows in memory that have it. */
export type Dimensions = {
  /** In the order of the meter's dimension names. */
  readonly values: readonly string[]
  readonly named: Readonly<Record<string, string>>
  /** Numbers that the windows in memory give its minutes, and the last one asked for. */
  readonly buckets: Map<number, number>
  minute: number
  bucket: number
  /** `seriesHash` of its values. */
  readonly hash: number
}

/** Everything interned for the meters of a fold, and about how much memory it takes. */
export type InternedDimensions = {
  bytes: number
  readonly by: DimensionInterning[]
  /** Whether some interning has seen a combination for the first time since this was last set to false. */
  hasGrown: boolean
}

/** Gives equal combinations of dimension values the same object until `forget`, so that an event finds its window by numbers. */
export type DimensionInterning = {
  /** Reads the dimensions of an event's parsed data. */
  read(data: object, interned: InternedDimensions): Dimensions
  of(values: readonly string[], interned: InternedDimensions): Dimensions
  /** The combination of what is beyond `seriesMax`. */
  other(interned: InternedDimensions): Dimensions
  forget(): void
  /** The combinations seen since it was created, which `forget` leaves; infinite once they are more than `seenMax`. */
  seen(): number
  /** Combinations that were counted before; null when they are many. */
  addSeen(hashes: readonly number[] | null): void
}

/** Forgets everything interned. */
export function forgetDimensions(interned: InternedDimensions): void {
  for (const interning of interned.by) interning.forget()
  interned.by.length = 0
  interned.bytes = 0
}

/** Values are looked up one after the other, each in its own map: no key is joined from them. */
type Level = { next: Map<string, Level> | null; here: Dimensions | null }

export function createDimensionInterning({ dimensionReaders, dimensionsOf }: CompiledMeter, seenMax: number): DimensionInterning {
  const count = dimensionReaders.length
  const other = dimensionReaders.map(() => OTHER_VALUE)
  let seen: SeriesSet | null = createSeriesSet()
  let root: Level | null = null

  function firstLevel(interned: InternedDimensions): Level {
    interned.by.push(interning)
    root = { next: null, here: null }
    return root
  }

  function add(level: Level, values: readonly string[], interned: InternedDimensions): Dimensions {
    const hash = seriesHash(values)
    const added = { values, named: dimensionsOf(values), buckets: new Map(), minute: Number.NaN, bucket: 0, hash }
    level.here = added
    if (see(hash)) interned.hasGrown = true
    interned.bytes += COMBINATION_BYTES
    return added
  }

  /** Whether it is new. */
  function see(hash: number): boolean {
    if (seen === null || !addSeries(seen, hash)) return false
    if (seen.size > seenMax) seen = null
    return true
  }

  function levelBelow(level: Level, value: string, interned: InternedDimensions): Level {
    const below = { next: null, here: null }
    level.next ??= new Map()
    level.next.set(value, below)
    interned.bytes += LEVEL_BYTES + 2 * value.length
    return below
  }

  const interning: DimensionInterning = {
    of(values, interned) {
      let level = root ?? firstLevel(interned)
      for (let place = 0; place < count; place++) {
        const value = values[place] ?? ''
        level = level.next?.get(value) ?? levelBelow(level, value, interned)
      }
      return level.here ?? add(level, values, interned)
    },
    read(data, interned) {
      let level = root ?? firstLevel(interned)
      for (let place = 0; place < count; place++) {
        const value = dimensionReaders[place]?.(data) ?? ''
        level = level.next?.get(value) ?? levelBelow(level, value, interned)
      }
      return (
        level.here ??
        add(
          level,
          dimensionReaders.map((read) => read(data)),
          interned,
        )
      )
    },
    other: (interned) => interning.of(other, interned),
    forget() {
      root = null
    },
    seen: () => seen?.size ?? Number.POSITIVE_INFINITY,
    addSeen(hashes) {
      if (hashes === null) seen = null
      else for (const hash of hashes) see(hash)
    },
  }
  return interning
}

/** Measured: a combination with its names and minutes, and a level on the way to it with a short text. */
const COMBINATION_BYTES = 600
const LEVEL_BYTES = 250
