import { addDecimals, compareDecimals, toNumber } from '../../../look/figures.ts'

export type UsageRow = {
  readonly windowStart: string
  readonly windowEnd: string
  readonly value: string | null
  readonly events: number
  readonly dimensions?: Readonly<Record<string, string>>
  readonly customer?: string
}

/** A chart's figures: a value in each window for each series, exact as text. The largest series stands first, "other" last. */
export type UsageSeries = {
  readonly windows: readonly { readonly start: string; readonly end: string }[]
  readonly series: readonly { readonly name: string; readonly texts: readonly string[] }[]
  readonly totals: readonly string[]
  readonly total: string
  readonly events: number
}

export const STEPS_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const
export type ChartWindow = keyof typeof STEPS_MS
const SERIES_MAX = 6
export const OTHER = 'other'

/** Usage rows as series over a grid without gaps. Windows are of UTC, as the API cuts them when no zone is asked for. */
export function usageSeries(
  rows: readonly UsageRow[],
  range: { readonly fromMs: number; readonly toMs: number },
  window: ChartWindow,
  by: string | null,
): UsageSeries {
  const stepMs = STEPS_MS[window]
  const firstMs = Math.floor(range.fromMs / stepMs) * stepMs
  const count = Math.max(1, Math.ceil((range.toMs - firstMs) / stepMs))
  const windows = Array.from({ length: count }, (_, at) => ({
    start: new Date(firstMs + at * stepMs).toISOString(),
    end: new Date(firstMs + (at + 1) * stepMs).toISOString(),
  }))
  const byName = new Map<string, string[]>()
  let events = 0
  for (const row of rows) {
    const at = Math.round((Date.parse(row.windowStart) - firstMs) / stepMs)
    if (at < 0 || at >= count || row.value === null) continue
    const name = by === null ? 'all' : by === 'customer' ? (row.customer ?? '') : (row.dimensions?.[by] ?? '')
    const texts = byName.get(name) ?? new Array<string>(count).fill('0')
    texts[at] = addDecimals([texts[at] ?? '0', row.value])
    byName.set(name, texts)
    events += row.events
  }
  const ordered = [...byName].map(([name, texts]) => ({ name: name === '' ? '(none)' : name, texts, sum: addDecimals(texts) }))
  ordered.sort((a, b) => compareDecimals(b.sum, a.sum))
  const series = ordered.slice(0, SERIES_MAX)
  const rest = ordered.slice(SERIES_MAX)
  const sumAt = (of: readonly { readonly texts: readonly string[] }[], at: number) => addDecimals(of.map(({ texts }) => texts[at] ?? '0'))
  const other = rest.length === 0 ? [] : [{ name: OTHER, texts: windows.map((_, at) => sumAt(rest, at)) }]
  const shown = [...series.map(({ name, texts }) => ({ name, texts })), ...other]
  const totals = windows.map((_, at) => sumAt(ordered, at))
  return { windows, series: shown, totals, total: addDecimals(totals), events }
}

export function numbersOf(texts: readonly string[]): readonly number[] {
  return texts.map(toNumber)
}
