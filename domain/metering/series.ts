import type { Bounds } from '../bound.ts'
import type { InstantMs } from '../identity.ts'
import { DAY_MS } from '../time/durations.ts'
import { textHash } from './event-hash.ts'
import type { MeterDefinition } from './meter.ts'

/** Bounds on the combinations of dimension values, the series, of a meter. */
export const SERIES_BOUNDS = {
  series: {
    what: 'combinations of dimension values of one customer and day of event time; further ones count as `(other)`, the totals stay exact (`seriesMax` of the meter)',
    most: 10_000,
    unit: 'combinations',
    per: 'meter',
    code: null,
    test: 'test/faults/cardinality.test.ts > beyond what the meters keep of a day',
  },
  seriesMaxGreatest: {
    what: 'the most that `seriesMax` of a meter may be',
    most: 100_000,
    unit: 'combinations',
    per: 'meter',
    code: 'invalid_request',
    test: 'api/catalog/catalog-routes.test.ts > a seriesMax of 100,001',
  },
} as const satisfies Bounds

/** The value of each dimension in the windows of what is beyond `seriesMax`. */
export const OTHER_VALUE = '(other)'

export function seriesMaxOf({ seriesMax }: Pick<MeterDefinition, 'seriesMax'>): number {
  return seriesMax ?? SERIES_BOUNDS.series.most
}

/** Tells combinations of one meter apart, as 32 bits; values are in the order of their names. Of two that share it only the first counts against the bound. */
export function seriesHash(values: readonly string[]): number {
  return textHash(values.join(SERIES_SEPARATOR))
}

export const SERIES_SEPARATOR = '\n'

/** The day of event time, in UTC, as days since 1970. */
export function seriesDay(occurredAtMs: InstantMs): number {
  return Math.floor(occurredAtMs / DAY_MS)
}

export function isOther(dimensions: Readonly<Record<string, string>>): boolean {
  const values = Object.values(dimensions)
  return values.length > 0 && values.every((value) => value === OTHER_VALUE)
}
