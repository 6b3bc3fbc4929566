import type { TimeShape } from '../../../look/times.ts'
import type { ChartWindow } from './usage-series.ts'

/** Ranges that end now, with the window that gives a chart some 24 to 170 points, and how often such a chart asks again. */
export const RANGES = {
  '1h': { label: '1 h', ms: 3_600_000, window: 'minute', everyMs: 2_000, axis: 'time', tip: 'dayAndTime', before: 'the hour before' },
  '24h': { label: '24 h', ms: 86_400_000, window: 'hour', everyMs: 5_000, axis: 'time', tip: 'dayAndTime', before: 'the day before' },
  '7d': { label: '7 d', ms: 7 * 86_400_000, window: 'hour', everyMs: 15_000, axis: 'day', tip: 'dayAndTime', before: 'the week before' },
  '30d': { label: '30 d', ms: 30 * 86_400_000, window: 'day', everyMs: 15_000, axis: 'day', tip: 'day', before: 'the 30 days before' },
} as const satisfies Record<string, RangeRow>

type RangeRow = {
  readonly label: string
  readonly ms: number
  readonly window: ChartWindow
  readonly everyMs: number
  readonly axis: TimeShape
  readonly tip: TimeShape
  readonly before: string
}
export type RangeName = keyof typeof RANGES

export function rangeNamed(name: string | undefined): RangeName {
  return name !== undefined && name in RANGES ? (name as RangeName) : '24h'
}

/** Whole windows: from the start of the first one to the end of the one that is under way. */
export function boundsOf(name: RangeName, nowMs: number): { readonly fromMs: number; readonly toMs: number } {
  const { ms, window } = RANGES[name]
  const stepMs = window === 'minute' ? 60_000 : window === 'hour' ? 3_600_000 : 86_400_000
  const toMs = Math.floor(nowMs / stepMs) * stepMs + stepMs
  return { fromMs: toMs - ms, toMs }
}
