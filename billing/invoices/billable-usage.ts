import { aggregateOfRow, type CutOffs, type UsageRow } from '../../adapters/usage-store/usage-store.ts'
import { invariant } from '../../base/invariant.ts'
import type { InvoiceInputs } from '../../domain/billing/invoice-inputs.ts'
import type { PlanVersion } from '../../domain/catalog/plan.ts'
import type { CustomerKey, Period } from '../../domain/identity.ts'
import type { DimensionFilter } from '../../domain/metering/dimension-filter.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { aggregateValue, matchesFilter, mergeAggregates } from '../../domain/metering/metering.ts'
import type { UsageShape } from '../../usage/period-usage.ts'
import type { UsageReader } from '../../usage/usage-reader.ts'

/** Stretches of time in which one customer's usage is priced together by one version of a plan: the highest value of two is no sum. */
export type BillablePart = {
  readonly customer: CustomerKey
  readonly stretches: readonly Period[]
  readonly planVersion: Pick<PlanVersion, 'charges'>
}

/** Nano units by charge key; a charge without usage is 0. */
export type BillableUsage = ReadonlyMap<string, bigint>

/**
 * Usage of the charges of each part, in the order of the parts: an event counts for a charge when it passes the filter of the
 * feature and that of the charge. One query per meter and shape for all parts; a single part as of now shares its queries with
 * others that are asked for at the same time. `cutOffs`: as of a position of the log, as `UsageReader.periods` takes it. Throws
 * the refusal `meter_backfilling` when a meter is not complete. A run asks only for complete ones.
 */
export async function readBillableUsage(
  usageReader: Pick<UsageReader, 'period' | 'periods'>,
  inputs: Pick<InvoiceInputs, 'features' | 'meters'>,
  parts: readonly BillablePart[],
  cutOffs?: CutOffs,
): Promise<readonly BillableUsage[]> {
  const usage = parts.map(() => new Map<string, bigint>())
  const reads = readsOf(inputs, parts)
  await Promise.all(
    [...reads.values()].map(async ({ shape, wanted }) => {
      const asked = wanted.flatMap(({ customer, stretches }) => stretches.map((period) => ({ customer, period })))
      const [first, ...others] = asked
      const isSingle = first !== undefined && others.length === 0 && cutOffs === undefined
      const answers = isSingle
        ? [await usageReader.period(shape, first.customer, first.period)]
        : await usageReader.periods(shape, asked, cutOffs)
      let read = 0
      for (const { part, charges, stretches } of wanted) {
        const rows = answers.slice(read, read + stretches.length).flat()
        read += stretches.length
        for (const charge of charges) usage[part]?.set(charge.key, quantityOf(charge, rows, shape.meter))
      }
    }),
  )
  return usage
}

/** Charges of one part that one meter answers together. */
type WantedOfPart = Omit<BillablePart, 'planVersion'> & { readonly part: number; readonly charges: readonly FilteredCharge[] }

/** By name of shape, so that parts of different plans share a query when they ask for the same. */
function readsOf(inputs: Pick<InvoiceInputs, 'features' | 'meters'>, parts: readonly BillablePart[]) {
  const reads = new Map<string, { readonly shape: UsageShape; readonly wanted: WantedOfPart[] }>()
  const shapesOf = new Map<BillablePart['planVersion'], readonly MeterCharges[]>()
  for (const [part, { customer, planVersion, ...each }] of parts.entries()) {
    const stretches = each.stretches.filter(({ startMs, endMs }) => startMs < endMs)
    if (stretches.length === 0) continue
    const ofPlan = shapesOf.get(planVersion) ?? meterCharges(inputs, planVersion)
    shapesOf.set(planVersion, ofPlan)
    for (const { shape, name, charges } of ofPlan) {
      const read = reads.get(name) ?? { shape, wanted: [] }
      reads.set(name, read)
      read.wanted.push({ part, customer, stretches, charges })
    }
  }
  return reads
}

/** A charge counts events that pass its feature's filter and its own. */
type FilteredCharge = { readonly key: string; readonly filters: readonly DimensionFilter[] }
type MeterCharges = { readonly shape: UsageShape; readonly name: string; readonly charges: readonly FilteredCharge[] }

/** One read per meter, however many charges share it. */
function meterCharges({ features, meters }: Pick<InvoiceInputs, 'features' | 'meters'>, { charges }: BillablePart['planVersion']) {
  const byMeter = new Map<Meter, FilteredCharge[]>()
  for (const charge of charges) {
    const feature = features.find(({ key }) => key === charge.feature)
    invariant(feature !== undefined && feature.meter !== null, `feature ${charge.feature} is metered as a charge is on it`)
    const meter = meters.find(({ key }) => key === feature.meter)
    invariant(meter !== undefined, `meter ${feature.meter} is kept as a feature reads it`)
    const ofMeter = byMeter.get(meter) ?? []
    byMeter.set(meter, [...ofMeter, { key: charge.key, filters: [feature.filter, charge.filter] }])
  }
  return [...byMeter].map(([meter, ofMeter]): MeterCharges => {
    const groupBy = [...new Set(ofMeter.flatMap(({ filters }) => filters.flatMap((filter) => Object.keys(filter))))]
    const filter = filterOfAll(ofMeter)
    const name = JSON.stringify([meter.tenant, meter.key, meter.revision, groupBy, Object.entries(filter)])
    return { shape: { meter, groupBy, filter }, name, charges: ofMeter }
  })
}

/** Rows that no charge can count need not be read: for a dimension that every charge filters on, only the values that one of them names. */
function filterOfAll(charges: readonly FilteredCharge[]): DimensionFilter {
  const wanted = charges.map(({ filters }) => valuesWanted(filters))
  const [first = new Map<string, readonly string[]>()] = wanted
  const shared = [...first.keys()].filter((dimension) => wanted.every((values) => values.has(dimension)))
  return Object.fromEntries(shared.map((dimension) => [dimension, [...new Set(wanted.flatMap((values) => values.get(dimension) ?? []))]]))
}

function valuesWanted(filters: readonly DimensionFilter[]): ReadonlyMap<string, readonly string[]> {
  const wanted = new Map<string, readonly string[]>()
  for (const filter of filters) {
    for (const [dimension, values] of Object.entries(filter)) wanted.set(dimension, [...(wanted.get(dimension) ?? []), ...values])
  }
  return wanted
}

function quantityOf({ filters }: FilteredCharge, rows: readonly UsageRow[], meter: Meter): bigint {
  const passing = rows.filter(({ dimensions }) => filters.every((filter) => matchesFilter(filter, dimensions)))
  const [first, ...rest] = passing.map(aggregateOfRow)
  if (first === undefined) return 0n
  return aggregateValue(meter.aggregation, rest.reduce(mergeAggregates, first)) ?? 0n
}
