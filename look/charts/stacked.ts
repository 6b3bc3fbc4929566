/** A series by name, with a value for each position; the largest first, so that neighbours differ in colour. */
export type Series = { readonly name: string; readonly values: readonly number[] }
export type StackedSeries = Series & { readonly from: readonly number[]; readonly to: readonly number[] }

/** Each series stands on the ones before it. */
export function stacked(series: readonly Series[]): readonly StackedSeries[] {
  let ground: readonly number[] = series[0]?.values.map(() => 0) ?? []
  return series.map((each) => {
    const from = ground
    const to = each.values.map((value, at) => (from[at] ?? 0) + Math.max(0, value))
    ground = to
    return { ...each, from, to }
  })
}

export function highestOf(series: readonly StackedSeries[]): number {
  return Math.max(0, ...(series.at(-1)?.to ?? []))
}
