import { trackedFeatures } from '../../domain/entitlements/entitlements.ts'
import type { Partition } from '../../domain/identity.ts'
import { usedQuantity } from '../../domain/metering/counter-state.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { aggregateValue } from '../../domain/metering/metering.ts'
import type { World } from './cluster.ts'
import { type AcceptedEvent, acceptedEvents, type ObviousTotal, obviousUsage, obviousWindows } from './obvious-model.ts'

/** Compares events, windows, customers and counters with the obvious model. Null when all agree, else the first difference. */
export async function firstDifference(world: World): Promise<string | null> {
  const { eventLog, usageStore, catalog } = world
  const all: AcceptedEvent[] = []
  const byPartition = new Map<Partition, readonly AcceptedEvent[]>()
  for (let number = 0; number < eventLog.partitions; number++) {
    const partition = number as Partition
    const accepted = acceptedEvents(eventLog.everything(partition))
    all.push(...accepted)
    byPartition.set(partition, accepted)
    const wanted = accepted.map(placeOf)
    const found = usageStore.events(partition).map(placeOf)
    const difference = firstDifferent(`events of partition ${partition}`, new Map(wanted.map(same)), new Map(found.map(same)))
    if (difference !== null) return difference
  }
  const missing = all.find(({ customer }) => !catalog.customers().has(customer))
  if (missing !== undefined) return `customer ${missing.customer} has events and was not made`
  for (const meter of catalog.meters()) {
    const difference = differenceInWindows(world, byPartition, meter)
    if (difference !== null) return difference
  }
  for (let number = 0; number < eventLog.partitions; number++) {
    const difference = await differenceInCounters(world, number as Partition, all)
    if (difference !== null) return difference
  }
  return null
}

function differenceInWindows(
  { usageStore }: World,
  byPartition: ReadonlyMap<Partition, readonly AcceptedEvent[]>,
  meter: Meter,
): string | null {
  const windows = [...byPartition].flatMap(([partition, events]) => [
    ...obviousWindows(events, meter, usageStore.activatedFrom(meter, partition)),
  ])
  const wanted = new Map(windows.map(([name, total]) => [name, shownTotal(total)]))
  const found = new Map(
    [...usageStore.windows(meter)].map(([name, total]) => [name, `${aggregateValue(meter.aggregation, total)} of ${total.events} events`]),
  )
  return firstDifferent(`windows of meter ${meter.key}, revision ${meter.revision}`, wanted, found)
}

async function differenceInCounters(world: World, partition: Partition, events: readonly AcceptedEvent[]): Promise<string | null> {
  const { catalog, counters, clock } = world
  for await (const { customer, counters: tracked } of counters.current().scan(partition)) {
    const features = trackedFeatures(catalog.inputs(customer.customer), clock.now())
    for (const { feature, definition, trackedFromMs, periods } of tracked) {
      const followed = features.find((each) => each.definition === definition && each.feature === feature)
      // The counter has an old definition, so nobody reads it.
      if (followed === undefined) continue
      const { meter, filter, schedule } = followed
      const lengthMs = schedule.interval === 'hour' ? 3_600_000 : 86_400_000
      const anchorMs = schedule.anchor === 'calendar' ? 0 : schedule.anchorMs
      const periodStartMs = (atMs: number) => anchorMs + Math.floor((atMs - anchorMs) / lengthMs) * lengthMs
      const usage = [...obviousUsage(events, { customer: customer.customer, meter, filter, periodStartMs })]
      const wanted = new Map(
        usage.filter(([startMs]) => startMs >= trackedFromMs).map(([startMs, total]) => [String(startMs), String(total.value)]),
      )
      const found = new Map(periods.map(({ startMs, state }) => [String(startMs), String(usedQuantity(state))]))
      const difference = firstDifferent(`counters of ${customer.customer}, feature ${feature}`, wanted, found)
      if (difference !== null) return difference
    }
  }
  return null
}

function firstDifferent(what: string, wanted: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>): string | null {
  for (const [name, value] of wanted) {
    if (found.get(name) !== value) return `${what}: ${name} is ${found.get(name) ?? 'missing'} and should be ${value}`
  }
  for (const [name, value] of found) if (!wanted.has(name)) return `${what}: ${name} is ${value} and should not be there`
  return null
}

function shownTotal({ value, events }: ObviousTotal): string {
  return `${value} of ${events} events`
}

function placeOf({ offset, index, id, customer, data, occurredAtMs }: Omit<AcceptedEvent, 'receivedAtMs'>): string {
  return JSON.stringify([offset, index, id, customer, data, occurredAtMs])
}

function same(text: string): readonly [string, string] {
  return [text, 'there']
}
