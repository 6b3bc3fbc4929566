import type { MeterKey, Offset, TenantKey } from '../domain/identity.ts'
import type { Meter } from '../domain/meter.ts'
import { type CompiledMeter, compiledMeter } from '../domain/metering.ts'
import { createDimensionInterning, type DimensionInterning } from './dimension-interning.ts'

/**
 * How the events of one type are counted. Meters that read the same dimensions stand together, so that an event finds
 * their windows with one search.
 */
export type EventPlan = {
  readonly slot: number
  readonly groups: readonly MeterGroup[]
  /** Of all groups. */
  readonly meters: readonly FoldMeter[]
}

/** Meters of one event type with the same dimensions. `slot` is its place in `CustomerWindows`. */
export type MeterGroup = {
  readonly slot: number
  readonly needsData: boolean
  /** Of the chunk under way. */
  readonly dimensions: DimensionInterning
  readonly meters: readonly FoldMeter[]
}

/** A meter revision as one partition counts it: events from `fromOffset` on and below `toOffset`. */
export type FoldMeter = {
  readonly meter: Meter
  readonly compiled: CompiledMeter
  readonly fromOffset: Offset
  readonly toOffset: Offset
  readonly group: MeterGroup
  /** Within the group, and never another's. */
  readonly place: number
}

export type Counting = { readonly meter: Meter; readonly fromOffset: Offset; readonly toOffset: Offset }

/** Finds the meters that count an event. */
export type MeterLookup = {
  planOf(tenant: TenantKey, eventType: string): EventPlan | undefined
  meterNamed(tenant: TenantKey, key: MeterKey): FoldMeter | undefined
}

export type EventPlans = MeterLookup & {
  /** From now on these revisions are counted, and no others. One that was counted before stays the same object. */
  count(countings: readonly Counting[]): void
}

export const LIVE_TO_OFFSET = Number.MAX_SAFE_INTEGER as Offset

export function createEventPlans(): EventPlans {
  const groups = new Map<string, Group>()
  let foldMeters = new Map<string, FoldMeter>()
  let plans = new Map<TenantKey, Map<string, EventPlan>>()
  let byName = new Map<string, FoldMeter>()
  let planSlots = 0

  function groupOf(meter: Meter): Group {
    const compiled = compiledMeter(meter)
    const paths = compiled.dimensionNames.map((name) => meter.dimensions[name])
    const key = JSON.stringify([meter.tenant, meter.eventType, compiled.dimensionNames, paths])
    const known = groups.get(key)
    if (known !== undefined) return known
    const group = {
      slot: groups.size,
      needsData: compiled.needsData,
      dimensions: createDimensionInterning(compiled),
      meters: [],
      places: 0,
    }
    groups.set(key, group)
    return group
  }

  function foldMeterOf(counting: Counting): FoldMeter {
    const known = foldMeters.get(revisionKey(counting.meter))
    if (known !== undefined) return known
    const group = groupOf(counting.meter)
    return { ...counting, compiled: compiledMeter(counting.meter), group, place: group.places++ }
  }

  function planFor(meters: readonly FoldMeter[]): EventPlan {
    const ofGroups = Map.groupBy(meters, ({ group }) => group as Group)
    for (const [group, members] of ofGroups) {
      group.meters = members
      group.needsData = members.some(({ compiled }) => compiled.needsData)
    }
    return { slot: planSlots++, groups: [...ofGroups.keys()], meters: [...ofGroups.values()].flat() }
  }

  return {
    planOf: (tenant, eventType) => plans.get(tenant)?.get(eventType),
    meterNamed: (tenant, key) => byName.get(nameOf(tenant, key)),
    count(countings) {
      const current = countings.map(foldMeterOf)
      foldMeters = new Map(current.map((foldMeter) => [revisionKey(foldMeter.meter), foldMeter]))
      byName = new Map(current.map((foldMeter) => [nameOf(foldMeter.meter.tenant, foldMeter.meter.key), foldMeter]))
      plans = new Map()
      planSlots = 0
      for (const [tenant, ofTenant] of Map.groupBy(current, ({ meter }) => meter.tenant)) {
        const byType = Map.groupBy(ofTenant, ({ meter }) => meter.eventType)
        plans.set(tenant, new Map([...byType].map(([eventType, ofType]) => [eventType, planFor(ofType)])))
      }
    },
  }
}

type Group = { -readonly [Key in keyof MeterGroup]: MeterGroup[Key] } & { places: number }

function nameOf(tenant: TenantKey, key: MeterKey): string {
  return `${key} ${tenant}`
}

function revisionKey({ tenant, revision }: Meter): string {
  return `${revision} ${tenant}`
}
