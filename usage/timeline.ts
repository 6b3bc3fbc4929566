import { invariant } from '../base/invariant.ts'
import type { InstantMs, Period } from '../domain/identity.ts'

/**
 * Periods of one customer, which may overlap as those of two subscriptions do, cut into segments that do not overlap: each period
 * is a run of whole segments, so that usage counted once per segment answers all periods.
 */
export type Timeline = {
  /** Ascending, without overlap; time that no period covers is in none. */
  readonly segments: readonly Period[]
  /** Null where there is no period. */
  segmentAt(instantMs: InstantMs): Period | null
  /** The segments that make up one of the periods. */
  segmentsOf(period: Period): readonly Period[]
}

export function createTimeline(periods: readonly Period[]): Timeline {
  const segments = segmentsOfAll(periods.filter(({ startMs, endMs }) => startMs < endMs))

  /** The first segment that ends after the instant. */
  function placeOf(instantMs: InstantMs): number {
    let [from, to] = [0, segments.length]
    while (from < to) {
      const middle = (from + to) >>> 1
      if ((segments[middle]?.endMs ?? 0) > instantMs) to = middle
      else from = middle + 1
    }
    return from
  }

  return {
    segments,
    segmentAt(instantMs) {
      const segment = segments[placeOf(instantMs)]
      return segment === undefined || segment.startMs > instantMs ? null : segment
    },
    segmentsOf({ startMs, endMs }) {
      if (startMs >= endMs) return []
      const within: Period[] = []
      for (let at = placeOf(startMs); ; at++) {
        const segment = segments[at]
        if (segment === undefined || segment.startMs >= endMs) return within
        invariant(segment.startMs >= startMs && segment.endMs <= endMs, 'a period of the timeline is made of whole segments')
        within.push(segment)
      }
    },
  }
}

function segmentsOfAll(periods: readonly Period[]): readonly Period[] {
  /** Change in the number of periods under way at an instant. */
  const changes = new Map<InstantMs, number>()
  const change = (atMs: InstantMs, by: number) => void changes.set(atMs, (changes.get(atMs) ?? 0) + by)
  for (const { startMs, endMs } of periods) {
    change(startMs, 1)
    change(endMs, -1)
  }
  const bounds = [...changes].sort(([a], [b]) => a - b)
  let underWay = 0
  return bounds.flatMap(([startMs, by], at) => {
    underWay += by
    const next = bounds[at + 1]
    return underWay === 0 || next === undefined ? [] : [{ startMs, endMs: next[0] }]
  })
}
