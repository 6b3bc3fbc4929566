import { invariant } from '../../base/invariant.ts'
import type { MeterKey, Offset, TenantKey } from '../../domain/identity.ts'
import { type CompiledMeter, compiledMeter } from '../../domain/metering/expressions/compiled-meter.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { seriesMaxOf } from '../../domain/metering/series.ts'
import { createDimensionInterning, type DimensionInterning } from './dimension-interning.ts'
import { tallyNumbers } from './tally.ts'
import { ENTRY_HEAD_NUMBERS } from './window-table.ts'

/**
 * How the events of one type are counted. Meters that read the same dimensions form a group, so that an event finds their windows
 * with one search.
 */
export type EventPlan = {
  readonly slot: number
  readonly groups: readonly MeterGroup[]
  /** The meters of all groups. */
  readonly meters: readonly FoldMeter[]
}

/** Meters of one event type with the same dimensions and the same bound on their combinations. Meters made later form another group, as the entries of this one have no room for them. */
export type MeterGroup = {
  readonly needsData: boolean
  /** Numbers that the windows of one customer, minute and dimensions take together. */
  readonly entryNumbers: number
  readonly dimensions: DimensionInterning
  readonly meters: readonly FoldMeter[]
  readonly series: GroupSeries
}

/** How a group keeps its meters within their bound on combinations of dimensions; the same bound for all of them. */
export type GroupSeries = {
  readonly seriesMax: number
  /** Whether `dimensions` has seen what the store holds from before. */
  isSeeded: boolean
  /** Whether each new window is checked against its customer's day; until the group as a whole comes close to the bound no day can be beyond it. */
  isChecked: boolean
}

/** A meter revision as one partition counts it: events from `fromOffset` on and below `toOffset`. */
export type FoldMeter = {
  readonly meter: Meter
  readonly compiled: CompiledMeter
  readonly fromOffset: Offset
  readonly toOffset: Offset
  readonly group: MeterGroup
  /** Place in the group's entries. */
  readonly tallyPlace: number
}

export type Counting = { readonly meter: Meter; readonly fromOffset: Offset; readonly toOffset: Offset }

/** Finds the meters that count an event. */
export type MeterLookup = {
  planOf(tenant: TenantKey, eventType: string): EventPlan | undefined
  meterNamed(tenant: TenantKey, key: MeterKey): FoldMeter | undefined
}

export type MeterGroups = { groups(): Iterable<MeterGroup> }

export type EventPlans = MeterLookup &
  MeterGroups & {
    /** From now on exactly these revisions are counted. One that was counted before stays the same object. */
    count(countings: readonly Counting[]): void
  }

export const LIVE_TO_OFFSET = Number.MAX_SAFE_INTEGER as Offset

export function createEventPlans(): EventPlans {
  let foldMeters = new Map<string, FoldMeter>()
  let plans = new Map<TenantKey, Map<string, EventPlan>>()
  let byName = new Map<string, FoldMeter>()
  let groups = new Set<MeterGroup>()

  return {
    groups: () => groups,
    planOf: (tenant, eventType) => plans.get(tenant)?.get(eventType),
    meterNamed: (tenant, key) => byName.get(nameOf(tenant, key)),
    count(countings) {
      const fresh = countings.filter(({ meter }) => !foldMeters.has(revisionKey(meter)))
      for (const together of Map.groupBy(fresh, groupKey).values()) {
        for (const foldMeter of groupTogether(together)) foldMeters.set(revisionKey(foldMeter.meter), foldMeter)
      }
      const current = countings.flatMap(({ meter }) => foldMeters.get(revisionKey(meter)) ?? [])
      for (const { group } of foldMeters.values()) (group as Group).meters = []
      for (const [group, members] of Map.groupBy(current, ({ group }) => group as Group)) group.meters = members
      foldMeters = new Map(current.map((foldMeter) => [revisionKey(foldMeter.meter), foldMeter]))
      byName = new Map(current.map((foldMeter) => [nameOf(foldMeter.meter.tenant, foldMeter.meter.key), foldMeter]))
      plans = plansOf(current)
      groups = new Set(current.map(({ group }) => group))
    },
  }
}

type Group = { -readonly [Key in keyof MeterGroup]: MeterGroup[Key] }

function groupTogether(countings: readonly Counting[]): FoldMeter[] {
  const compiled = countings.map(({ meter }) => compiledMeter(meter))
  const [first] = compiled
  invariant(first !== undefined, 'a group has at least one meter')
  const needsData = compiled.some((each) => each.needsData)
  const hasDimensions = first.dimensionNames.length > 0
  const seriesMax = hasDimensions ? Math.min(...countings.map(({ meter }) => seriesMaxOf(meter))) : Number.POSITIVE_INFINITY
  const group: Group = {
    ...{ needsData, entryNumbers: ENTRY_HEAD_NUMBERS, meters: [] },
    dimensions: createDimensionInterning(first, seriesMax),
    series: { seriesMax, isSeeded: !hasDimensions, isChecked: false },
  }
  const foldMeters = countings.map((counting, at) => {
    const tallyPlace = group.entryNumbers
    group.entryNumbers += tallyNumbers(counting.meter.aggregation)
    return { ...counting, compiled: compiled[at] ?? first, group, tallyPlace }
  })
  return foldMeters
}

function plansOf(foldMeters: readonly FoldMeter[]): Map<TenantKey, Map<string, EventPlan>> {
  const plans = new Map<TenantKey, Map<string, EventPlan>>()
  let slot = 0
  for (const [tenant, ofTenant] of Map.groupBy(foldMeters, ({ meter }) => meter.tenant)) {
    const byType = new Map<string, EventPlan>()
    for (const [eventType, ofType] of Map.groupBy(ofTenant, ({ meter }) => meter.eventType)) {
      const groups = [...new Set(ofType.map(({ group }) => group))]
      byType.set(eventType, { slot: slot++, groups, meters: groups.flatMap(({ meters }) => meters) })
    }
    plans.set(tenant, byType)
  }
  return plans
}

function groupKey({ meter }: Counting): string {
  const { dimensionNames } = compiledMeter(meter)
  return JSON.stringify([meter.tenant, meter.eventType, seriesMaxOf(meter), dimensionNames.map((name) => [name, meter.dimensions[name]])])
}

function nameOf(tenant: TenantKey, key: MeterKey): string {
  return `${key} ${tenant}`
}

function revisionKey({ tenant, revision }: Meter): string {
  return `${revision} ${tenant}`
}
