import { invariant } from '../domain/invariant.ts'
import type { CompiledMeter } from '../domain/metering.ts'

/** One combination of dimension values, kept once for all windows of a chunk that have it. */
export type Dimensions = {
  /** From 0 without gaps, until the next `clear`. */
  readonly id: number
  /** In the order of the meter's dimension names. */
  readonly values: readonly string[]
  readonly named: Readonly<Record<string, string>>
}

/** Gives equal combinations of dimension values the same object: an event then finds its window by a number. */
export type DimensionInterning = {
  /** Of an event's parsed data. */
  read(data: object): Dimensions
  of(values: readonly string[]): Dimensions
  /** What was given out before is not found again. */
  clear(): void
}

/** In one chunk of one partition: far more windows than fit into memory. Keeps keys of windows exact. */
export const DIMENSION_IDS_MAX = 2 ** 26

/** Values are looked up one after the other, each in a map of its own: nothing is joined into a key. */
type Level = { readonly next: Map<string, Level>; here: Dimensions | null }

export function createDimensionInterning({ dimensionReaders, dimensionsOf }: CompiledMeter): DimensionInterning {
  const count = dimensionReaders.length
  let root: Level = { next: new Map(), here: null }
  let ids = 0

  function add(level: Level, values: readonly string[]): Dimensions {
    invariant(ids < DIMENSION_IDS_MAX, `a chunk has at most ${DIMENSION_IDS_MAX} combinations of dimension values`)
    const added = { id: ids++, values, named: dimensionsOf(values) }
    level.here = added
    return added
  }

  function levelBelow(level: Level, value: string): Level {
    const below = { next: new Map(), here: null }
    level.next.set(value, below)
    return below
  }

  function of(values: readonly string[]): Dimensions {
    let level = root
    for (let place = 0; place < count; place++) {
      const value = values[place] ?? ''
      level = level.next.get(value) ?? levelBelow(level, value)
    }
    return level.here ?? add(level, values)
  }

  return {
    read(data) {
      let level = root
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
    of,
    clear() {
      if (ids === 0) return
      root = { next: new Map(), here: null }
      ids = 0
    },
  }
}
