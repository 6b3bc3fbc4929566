import type { Counters, CustomerRef, TrackedCounter } from '../../adapters/counters/counters.ts'
import type { EntitlementInputsReader } from '../../adapters/database/entitlements/entitlement-inputs-reader.ts'
import type { MeterStore } from '../../adapters/database/meters/meter-store.ts'
import type { EventLog, LogRange } from '../../adapters/event-log/event-log.ts'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { InstantMs, Offset, Partition } from '../../domain/identity.ts'
import { parsedData } from '../../domain/metering/event-data.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { DEDUPE_HORIZON_MS, type UsageEventBatch } from '../../domain/metering/usage-event.ts'
import { entitlementInputsOf } from '../tracking/entitlement-inputs-of.ts'
import type { Difference } from './difference.ts'
import { type CounterCheck, createCounterCheck } from './verify-counters.ts'
import { createFilterCheck } from './verify-filter.ts'
import { checkLog } from './verify-log.ts'
import { createRepeatCheck, repeatedKeys } from './verify-repeats.ts'
import { createWindowCheck, type WindowCheck, type WindowDifference } from './verify-windows.ts'

export type VerifyOptions = {
  readonly eventLog: Pick<EventLog, 'partitions' | 'range' | 'read'>
  readonly usageStore: Pick<
    UsageStore,
    | 'positions'
    | 'chunkRecords'
    | 'activations'
    | 'scanEvents'
    | 'scanEventHashes'
    | 'scanEventPrints'
    | 'scanSlices'
    | 'findEvents'
    | 'query'
  >
  readonly counters: Pick<Counters, 'position' | 'scan'>
  readonly meters: Pick<MeterStore, 'all'>
  readonly entitlementInputs: EntitlementInputsReader
  readonly decode: (value: Uint8Array) => UsageEventBatch
  readonly clock: Clock
  /** Whether others may write meanwhile. Then everything written when a partition's turn came is compared. */
  readonly isLive: boolean
  /** Whether this meter's windows are compared; all are when undefined. */
  readonly isWanted?: (meter: Meter) => boolean
  readonly onDifference: (difference: Difference) => void
}

/** What was compared in one partition. */
export type PartitionReport = {
  readonly partition: Partition
  /** Everything up to here was compared: the usage store's position. */
  readonly position: Offset
  readonly countersPosition: Offset
  readonly logStart: Offset
  readonly logNext: Offset
  readonly events: number
  readonly windows: number
  readonly counters: number
  readonly logRecords: number
  readonly logEvents: number
  readonly logRepeats: number
  readonly differences: number
}

export async function verifyPartition(
  options: VerifyOptions,
  partition: Partition,
): Promise<{ readonly report: PartitionReport; readonly notes: readonly string[] }> {
  const { usageStore, clock } = options
  const notes: string[] = []
  let differences = 0
  const report = (difference: Difference | null) => {
    if (difference === null) return
    differences += 1
    options.onDifference(difference)
  }
  const nowMs = clock.now()
  // Counters first, as the store has what they counted a moment later.
  const counted = await readCounters(options, partition, nowMs)
  const position = await settledPosition(options, partition, counted.to)
  const windows = await createWindows(options, partition, position, notes)
  const filter = await createFilterCheck(usageStore, { partition, toOffset: position, nowMs }, clock)
  const range = await options.eventLog.range(partition)
  checkPositions(partition, range, { position, countersPosition: counted.to }, report, notes)
  const logTotals = await checkLog({ ...options, partition, toOffset: position, onDifference: report })

  let events = 0
  for await (const slice of usageStore.scanSlices({ partition })) {
    windows.addStored(slice.windows)
    for await (const stored of slice.events) {
      for (const difference of filter.check(stored)) report(difference)
      for (const event of stored) {
        if (!options.isLive && event.offset >= range.next) report(beyondTheLog(partition, range, event.offset))
        // An event above the position was written by a flush that a crash interrupted; the replay writes it again.
        if (event.offset < position) events += 1
        const data = parsedData(event.data)
        windows.addEvent(event, data)
        if (event.offset < counted.from) counted.check.addEvent(event, data)
        else if (event.offset < counted.to) counted.check.addUncertain(event)
      }
    }
    for (const { meter, ...difference } of await ofLastingMeters(options, windows.endSlice(), notes)) report(difference)
  }
  const repeats = createRepeatCheck(DEDUPE_HORIZON_MS)
  for (const key of await repeatedKeys(usageStore, { partition, toOffset: position })) report(repeats.add(key))
  const counters = compareCounters(partition, position, counted, report, notes)
  return {
    report: {
      ...{ partition, position, countersPosition: counted.to, logStart: logTotals.fromOffset, logNext: range.next },
      ...{ events, windows: windows.size(), counters },
      ...{ logRecords: logTotals.records, logEvents: logTotals.events, logRepeats: logTotals.repeats, differences },
    },
    notes,
  }
}

/** Counters as read while their position moved between two offsets. */
type CountersRead = { readonly check: CounterCheck; readonly from: Offset; readonly to: Offset }

async function readCounters({ counters, entitlementInputs }: VerifyOptions, partition: Partition, nowMs: InstantMs): Promise<CountersRead> {
  const check = createCounterCheck()
  const from = await counters.position(partition)
  let some: { readonly customer: CustomerRef; readonly counters: readonly TrackedCounter[] }[] = []
  const addSome = async () => {
    const inputsOf = await entitlementInputsOf(
      entitlementInputs,
      some.map(({ customer }) => customer),
    )
    for (const { customer, counters: tracked } of some) check.addTracked(customer, tracked, inputsOf(customer), nowMs)
    some = []
  }
  for await (const each of counters.scan(partition)) {
    some.push(each)
    if (some.length >= CUSTOMERS_AT_ONCE_MAX) await addSome()
  }
  await addSome()
  return { check, from, to: await counters.position(partition) }
}

const CUSTOMERS_AT_ONCE_MAX = 500

/** The usage store's position, once it has reached the counters', or when nobody seems to bring it there. */
async function settledPosition({ usageStore, isLive, clock }: VerifyOptions, partition: Partition, wanted: Offset): Promise<Offset> {
  const untilMs = clock.now() + (isLive ? SETTLES_WITHIN_MS : 0)
  for (;;) {
    const position = (await usageStore.positions()).get(partition) ?? (0 as Offset)
    if (position >= wanted || clock.now() >= untilMs) return position
    await clock.sleep(POSITION_INTERVAL_MS)
  }
}

const SETTLES_WITHIN_MS = 10_000
const POSITION_INTERVAL_MS = 200

async function createWindows(
  { usageStore, meters: store, isWanted = () => true }: VerifyOptions,
  partition: Partition,
  position: Offset,
  notes: string[],
): Promise<WindowCheck> {
  const meters = (await store.all()).filter(isWanted)
  const activations = await usageStore.activations()
  const windows = createWindowCheck({ partition, position, meters, activations, chunkRecords: usageStore.chunkRecords() })
  for (const meter of windows.unchecked) notes.push(`meter ${meter.key} is being backfilled on partition ${partition}: not checked there`)
  return windows
}

/** Windows of a meter that was changed or deleted meanwhile are dropped while they are read. */
async function ofLastingMeters(
  { meters, isLive }: VerifyOptions,
  differences: readonly WindowDifference[],
  notes: string[],
): Promise<readonly WindowDifference[]> {
  if (!isLive || differences.length === 0) return differences
  const lasting = new Set((await meters.all()).map(({ tenant, key, revision }) => `${tenant}\0${key}\0${revision}`))
  return differences.filter(({ meter: { tenant, key, revision } }) => {
    const isLasting = lasting.has(`${tenant}\0${key}\0${revision}`)
    const note = `meter ${key} was changed or deleted meanwhile: not checked`
    if (!isLasting && !notes.includes(note)) notes.push(note)
    return isLasting
  })
}

function checkPositions(
  partition: Partition,
  { start, next }: LogRange,
  { position, countersPosition }: { readonly position: Offset; readonly countersPosition: Offset },
  report: (difference: Difference) => void,
  notes: string[],
): void {
  const readers = [
    { name: 'usage store', at: position },
    { name: 'counters', at: countersPosition },
  ]
  for (const { name, at } of readers) {
    const where = `${name}, partition ${partition}`
    if (at > next) report({ view: 'positions', where, expected: `${next} at most, the log's end`, found: `${at}` })
    else if (at < start) report({ view: 'positions', where, expected: `${start} at least, the log's start`, found: `${at}` })
    else if (at < next) notes.push(`${where} has ${next - at} records of the log yet to read`)
  }
}

function beyondTheLog(partition: Partition, { next }: LogRange, offset: Offset): Difference {
  return { view: 'events', where: `partition ${partition}`, expected: `offsets below ${next}`, found: `offset ${offset}` }
}

/** Returns how many were compared. */
function compareCounters(
  partition: Partition,
  position: Offset,
  { check, to }: CountersRead,
  report: (difference: Difference) => void,
  notes: string[],
): number {
  if (to > position) {
    notes.push(
      `counters of partition ${partition} are ${to - position} records ahead of the usage store: not checked; start the server once`,
    )
    return 0
  }
  for (const difference of check.differences()) report(difference)
  if (check.uncertain() > 0) {
    notes.push(`${check.uncertain()} customers of partition ${partition} had events counted while their counters were read: not checked`)
  }
  return check.counters()
}
