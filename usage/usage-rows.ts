import { aggregateOfRow, type UsagePlace, type UsageRow } from '../adapters/usage-store/usage-store.ts'
import { type Aggregate, mergeAggregates } from '../domain/metering/metering.ts'
import { RefusalError, refuse } from '../domain/refusal.ts'

/** What tells rows of usage apart. */
export type UsageGroup = Pick<UsageRow, 'windowStartMs' | 'customer' | 'dimensions'>

/** Merges rows of one group into one, whatever parts of time they cover; unordered. */
export function mergeUsageRows(rows: readonly UsageRow[], groupBy: readonly string[]): readonly UsageRow[] {
  const merged = new Map<string, UsageRow>()
  for (const row of rows) {
    const name = usageGroupName(row, groupBy)
    const same = merged.get(name)
    merged.set(name, same === undefined ? row : usageRowOf(row, mergeAggregates(aggregateOfRow(same), aggregateOfRow(row))))
  }
  return [...merged.values()]
}

export function usageGroupName(group: UsageGroup, groupBy: readonly string[]): string {
  return JSON.stringify([group.windowStartMs, ...groupBy.map((name) => (name === 'customer' ? group.customer : group.dimensions[name]))])
}

/** The order in which answers stand: by window, then by the values of `groupBy`, as bytes. */
export function compareUsageGroups(a: UsageGroup, b: UsageGroup, groupBy: readonly string[]): number {
  return compareUsagePlaces(usagePlaceOf(a, groupBy), usagePlaceOf(b, groupBy))
}

export function usagePlaceOf({ windowStartMs, customer, dimensions }: UsageGroup, groupBy: readonly string[]): UsagePlace {
  return { windowStartMs, groups: groupBy.map((name) => (name === 'customer' ? customer : dimensions[name]) ?? '') }
}

/** Of two answers to the same question. */
export function compareUsagePlaces(a: UsagePlace, b: UsagePlace): number {
  if (a.windowStartMs !== b.windowStartMs) return (a.windowStartMs ?? 0) - (b.windowStartMs ?? 0)
  for (const [at, left] of a.groups.entries()) {
    const right = b.groups[at] ?? ''
    if (left !== right) return Buffer.compare(Buffer.from(left), Buffer.from(right))
  }
  return 0
}

export function usageRowOf({ windowStartMs, customer, dimensions }: UsageGroup, { latest, ...totals }: Aggregate): UsageRow {
  return {
    windowStartMs,
    customer,
    dimensions,
    ...totals,
    latest: latest?.value ?? null,
    latestAtMs: latest?.occurredAtMs ?? null,
    latestOffset: latest?.offset ?? null,
    latestIndex: latest?.index ?? null,
  }
}

export function refuseTooManyRows(rows: number, rowsMax: number): void {
  if (rows > rowsMax) throw new RefusalError(refuse('too_many_rows', { rowsMax }))
}
