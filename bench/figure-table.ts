import { type Figure, meetsBudget } from './part.ts'

/** Columns: what, value with unit, budget and whether it is met, note. */
export function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [figure.what, `${numberText(figure.value)} ${figure.unit}`, budgetText(figure), figure.note ?? ''])
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0), 0))
  return rows
    .map(([what = '', value = '', budget = '', note = '']) =>
      `  ${what.padEnd(widths[0] ?? 0)}  ${value.padStart(widths[1] ?? 0)}  ${budget.padEnd(widths[2] ?? 0)}  ${note}`.trimEnd(),
    )
    .join('\n')
}

/** `≤ 8 met`, `≥ 100,000 MISSED`; empty without a budget. */
export function budgetText(figure: Figure): string {
  const { budget } = figure
  if (budget === undefined) return ''
  const bound = 'max' in budget ? `≤ ${numberText(budget.max)}` : `≥ ${numberText(budget.min)}`
  return `${bound} ${meetsBudget(figure) ? 'met' : 'MISSED'}`
}

/** Three significant digits below 1,000, thousands marked above. */
export function numberText(value: number): string {
  if (Number.isNaN(value)) return '–'
  return Math.abs(value) >= 1_000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)))
}
