import type { Catalog } from '../adapters/catalog/catalog.ts'
import type { Counters } from '../adapters/counters/counters.ts'
import type { EventLog } from '../adapters/event-log/event-log.ts'
import type { MeterActivation, UsageStore } from '../adapters/usage-store/usage-store.ts'
import type { InstantMs, Offset, Partition } from '../domain/identity.ts'
import type { Meter } from '../domain/meter.ts'
import { DEDUPE_HORIZON_MS } from '../domain/usage-event.ts'
import type { Difference } from './difference.ts'
import { type CounterCheck, createCounterCheck } from './verify-counters.ts'
import { createRepeatCheck } from './verify-repeats.ts'
import { createWindowCheck } from './verify-windows.ts'

export type VerifyReport = {
  readonly events: number
  readonly windows: number
  readonly counters: number
  readonly differences: number
  /** What could not be checked, and why. No differences. */
  readonly notes: readonly string[]
}

export type VerifyOptions = {
  readonly eventLog: Pick<EventLog, 'partitions' | 'range'>
  readonly usageStore: Pick<UsageStore, 'positions' | 'chunkRecords' | 'activations' | 'scanEvents' | 'scanWindows'>
  readonly counters: Pick<Counters, 'position' | 'scan'>
  readonly catalog: Pick<Catalog, 'allMeters' | 'entitlementInputs'>
  readonly nowMs: InstantMs
  readonly onDifference: (difference: Difference) => void
}

/**
 * Recomputes windows and counters from `events`, one partition at a time, and reports where they differ. Also: no event
 * stands twice, and no position runs ahead of the log. Nothing may write meanwhile. Memory is bounded by the windows,
 * counters and recent event ids of one partition.
 */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  let differences = 0
  const counted: VerifyOptions = {
    ...options,
    onDifference(difference) {
      differences += 1
      options.onDifference(difference)
    },
  }
  const positions = await options.usageStore.positions()
  const meters = await options.catalog.allMeters()
  const activations = await options.usageStore.activations()
  const totals = { events: 0, windows: 0, counters: 0 }
  const notes: string[] = []
  for (let number = 0; number < options.eventLog.partitions; number++) {
    const partition = number as Partition
    const position = positions.get(partition) ?? (0 as Offset)
    const report = await verifyPartition(counted, { partition, position, meters, activations })
    totals.events += report.events
    totals.windows += report.windows
    totals.counters += report.counters
    notes.push(...report.notes)
  }
  return { ...totals, differences, notes }
}

type PartitionPart = {
  readonly partition: Partition
  readonly position: Offset
  readonly meters: readonly Meter[]
  readonly activations: readonly MeterActivation[]
}

async function verifyPartition(options: VerifyOptions, part: PartitionPart): Promise<Omit<VerifyReport, 'differences'>> {
  const { usageStore: store, counters, onDifference } = options
  const { partition, position } = part
  const notes: string[] = []
  const countersPosition = await counters.position(partition)
  const next = await verifyPositions(options, part, countersPosition, notes)

  const windows = createWindowCheck({ ...part, chunkRecords: store.chunkRecords() })
  for (const meter of windows.unchecked) notes.push(`meter ${meter.key} is being backfilled on partition ${partition}: not checked there`)
  for await (const rows of store.scanWindows({ partition })) windows.addStored(rows)
  const counterCheck = await loadCounters(options, partition)
  const repeats = createRepeatCheck(DEDUPE_HORIZON_MS)

  let events = 0
  for await (const stored of store.scanEvents({ partition })) {
    for (const event of stored) {
      if (event.offset >= next) {
        onDifference({
          view: 'events',
          where: `partition ${partition}`,
          expected: `offsets below ${next}`,
          found: `offset ${event.offset}`,
        })
      }
      // An event above the position was written by a flush that a crash cut short; the replay writes it again.
      if (event.offset < position) {
        events += 1
        const repeat = repeats.add(event)
        if (repeat !== null) onDifference(repeat)
      }
      const data = JSON.parse(event.data) as object
      windows.addEvent(event, data)
      if (event.offset < countersPosition) counterCheck.addEvent(event, data)
    }
  }
  for (const difference of windows.differences()) onDifference(difference)
  let countersChecked = 0
  if (countersPosition > position) {
    const records = countersPosition - position
    notes.push(`counters of partition ${partition} are ${records} records ahead of the usage store: not checked; start the server once`)
  } else {
    countersChecked = counterCheck.counters
    for (const difference of counterCheck.differences()) onDifference(difference)
  }
  return { events, windows: windows.size(), counters: countersChecked, notes }
}

/** Returns the log's next offset. */
async function verifyPositions(options: VerifyOptions, part: PartitionPart, countersPosition: Offset, notes: string[]): Promise<Offset> {
  const { start, next } = await options.eventLog.range(part.partition)
  const readers = [
    { name: 'usage store', position: part.position },
    { name: 'counters', position: countersPosition },
  ]
  for (const { name, position } of readers) {
    const where = `${name}, partition ${part.partition}`
    if (position > next) {
      options.onDifference({ view: 'positions', where, expected: `${next} at most, the log's end`, found: `${position}` })
    } else if (position < start) {
      options.onDifference({ view: 'positions', where, expected: `${start} at least, the log's start`, found: `${position}` })
    } else if (position < next) {
      notes.push(`${where} has ${next - position} records of the log yet to read`)
    }
  }
  return next
}

async function loadCounters({ counters, catalog, nowMs }: VerifyOptions, partition: Partition): Promise<CounterCheck> {
  const check = createCounterCheck()
  for await (const { customer, counters: tracked } of counters.scan(partition)) {
    check.addTracked(customer, tracked, await catalog.entitlementInputs(customer.tenant, customer.customer), nowMs)
  }
  return check
}
