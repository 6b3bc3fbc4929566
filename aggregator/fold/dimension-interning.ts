import type { CompiledMeter } from '../../domain/metering/compiled-meter.ts'

/** One combination of dimension values, kept once for all windows of a chunk that have it. */
export type Dimensions = {
  /** In the order of the meter's dimension names. */
  readonly values: readonly string[]
  readonly named: Readonly<Record<string, string>>
  /** Numbers that the windows of the chunk give its minutes, and the last one asked for. */
  readonly buckets: Map<number, number>
  minute: number
  bucket: number
}

/**
 * Gives equal combinations of dimension values the same object, so that an event finds its window by numbers. An object of
 * another epoch is not found again.
 */
export type DimensionInterning = {
  /** Reads the dimensions of an event's parsed data. */
  read(data: object, epoch: number): Dimensions
  of(values: readonly string[], epoch: number): Dimensions
}

/** Values are looked up one after the other, each in its own map: no key is joined from them. */
type Level = { readonly next: Map<string, Level>; here: Dimensions | null }

export function createDimensionInterning({ dimensionReaders, dimensionsOf }: CompiledMeter): DimensionInterning {
  const count = dimensionReaders.length
  let root: Level = { next: new Map(), here: null }
  let rootEpoch = 0

  function rootIn(epoch: number): Level {
    if (epoch !== rootEpoch) {
      root = { next: new Map(), here: null }
      rootEpoch = epoch
    }
    return root
  }

  function add(level: Level, values: readonly string[]): Dimensions {
    const added = { values, named: dimensionsOf(values), buckets: new Map(), minute: Number.NaN, bucket: 0 }
    level.here = added
    return added
  }

  function levelBelow(level: Level, value: string): Level {
    const below = { next: new Map(), here: null }
    level.next.set(value, below)
    return below
  }

  return {
    of(values, epoch) {
      let level = rootIn(epoch)
      for (let place = 0; place < count; place++) {
        const value = values[place] ?? ''
        level = level.next.get(value) ?? levelBelow(level, value)
      }
      return level.here ?? add(level, values)
    },
    read(data, epoch) {
      let level = rootIn(epoch)
      for (let place = 0; place < count; place++) {
        const value = dimensionReaders[place]?.(data) ?? ''
        level = level.next.get(value) ?? levelBelow(level, value)
      }
      return (
        level.here ??
        add(
          level,
          dimensionReaders.map((read) => read(data)),
        )
      )
    },
  }
}
