import {
  BACKFILL_CHUNK_BASE,
  type EncodedEvents,
  type EventKey,
  type EventPosition,
  type EventScan,
  type MeterActivation,
  type StoredEvent,
  type UsageStore,
  type WindowRow,
} from '../../adapters/usage-store/usage-store.ts'
import type { InstantMs, Offset, Partition } from '../../domain/identity.ts'
import { eventHash, hashSeed } from '../../domain/metering/event-hash.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { type Aggregate, emptyAggregate, mergeAggregates } from '../../domain/metering/metering.ts'
import { seriesDay, seriesHash } from '../../domain/metering/series.ts'
import { customerUsageOf } from '../support/models/customer-usage-model.ts'
import { isSwitchedOff } from './mutants.ts'
import { assertOwner, type Caller, type Network } from './network.ts'
import type { SeededRandom } from './seeded-random.ts'

/** A usage store in memory. Each insert is durable at once, or was interrupted and holds the first part of its rows. */
export type UsageStoreModel = {
  events(partition: Partition): readonly StoredEvent[]
  /** A window's total over its chunks, as a query reads it. */
  windows(meter: Meter): ReadonlyMap<string, Aggregate>
  next(partition: Partition): Offset
  isComplete(meter: Meter, partition: Partition): boolean
  /** The offset from which the meter counts live. */
  activatedFrom(meter: Meter, partition: Partition): Offset
  portFor(caller: Caller, network: Network, random: SeededRandom): UsageStore
}

/** Names a window in comparisons. */
export function windowName(customer: string, startMs: number, dimensions: Readonly<Record<string, string>>): string {
  return `customer ${customer}, minute ${new Date(startMs).toISOString()}, dimensions ${JSON.stringify(dimensions)}`
}

export function createUsageStoreModel(chunkRecords: number): UsageStoreModel {
  const tables: Tables = { events: new Map(), eventsByKey: new Map(), windows: new Map(), positions: new Map(), activations: new Map() }
  return {
    events: (partition) => scanEvents(tables, { partition }),
    windows(meter) {
      const totals = new Map<string, Aggregate>()
      for (const row of tables.windows.get(revisionKey(meter.tenant, meter.key, meter.revision))?.values() ?? []) {
        const name = windowName(row.customer, row.windowStartMs, row.dimensions)
        totals.set(name, mergeAggregates(totals.get(name) ?? emptyAggregate, row))
      }
      return totals
    },
    next: (partition) => tables.positions.get(partition) ?? (0 as Offset),
    isComplete: (meter, partition) => tables.activations.get(activationKey({ ...meter, meter: meter.key, partition }))?.backfilled === true,
    activatedFrom: (meter, partition) =>
      tables.activations.get(activationKey({ ...meter, meter: meter.key, partition }))?.fromOffset ?? (0 as Offset),
    portFor: (caller, network, random) => createPort(tables, chunkRecords, { caller, network, random }),
  }
}

type Tables = {
  readonly events: Map<Partition, Map<string, StoredEvent>>
  readonly eventsByKey: Map<string, StoredEvent[]>
  readonly windows: Map<string, Map<string, WindowRow>>
  readonly positions: Map<Partition, Offset>
  readonly activations: Map<string, MeterActivation>
}

type EncodedByModel = EncodedEvents & { readonly events: readonly StoredEvent[] }
type Connection = { readonly caller: Caller; readonly network: Network; readonly random: SeededRandom }

function createPort(tables: Tables, chunkRecords: number, { caller, network, random }: Connection): UsageStore {
  const call = <Value>(effect: () => Value) => network.call(caller, effect)

  /** One insert. Its rows may become visible in two parts, with anything in between, such as a crash. */
  async function insert<Row>(rows: readonly Row[], put: (row: Row) => void): Promise<void> {
    if (rows.length === 0) return
    const cut = random.integer(0, rows.length)
    if (cut > 0) await call(() => rows.slice(0, cut).forEach(put))
    await call(() => rows.slice(cut).forEach(put))
  }

  async function* pages<Row>(rows: () => readonly Row[]): AsyncGenerator<readonly Row[]> {
    const all = await call(rows)
    for (let from = 0; from < all.length; from += PAGE_ROWS) yield await call(() => all.slice(from, from + PAGE_ROWS))
  }

  return {
    migrate: async () => undefined,
    chunkRecords: () => chunkRecords,
    positions: () => call(() => new Map(tables.positions)),
    encodeEvents: (events) => ({ rows: events.length, events }) as EncodedByModel,
    async write({ events, encodedEvents = [], windows, positions }) {
      const allEvents = [...(encodedEvents as readonly EncodedByModel[]).flatMap((encoded) => encoded.events), ...events]
      const steps = [
        () => insert(allEvents, (event) => putEvent(tables, event)),
        () => insert(windows, (row) => putWindow(tables, row)),
        () => insert(positions, ({ partition, next }) => putPosition(tables, partition, next)),
      ]
      if (isSwitchedOff('order of events, windows, positions')) steps.reverse()
      for (const step of steps) await step()
    },
    removeEvents: () => Promise.reject(new Error('an aggregator removes no events')),
    findEvents: (keys, receivedFromMs) => call(() => findEvents(tables, keys, receivedFromMs)),
    scanEvents: (scan) => pages(() => scanEvents(tables, scan)),
    async *scanEventHashes({ spanMs, ...scan }) {
      for await (const events of pages(() => scanEvents(tables, scan))) {
        for (const [span, some] of Map.groupBy(events, ({ receivedAtMs }) => Math.floor(receivedAtMs / spanMs))) {
          const hashes = some.map(({ tenant, customer, source, id }) => eventHash(hashSeed(tenant, customer), source, id))
          yield { spanStartMs: (span * spanMs) as InstantMs, hashes: Float64Array.from(hashes).sort() }
        }
      }
    },
    events: () => Promise.reject(new Error('an aggregator lists no events')),
    usage: () => Promise.reject(new Error('an aggregator reads usage by customer')),
    windowRows: ({ partition, chunk }, keys) =>
      call(() =>
        keys.flatMap(({ tenant, meter, revision, customer, windowStartMs, dimensions }) => {
          const key = windowKey({ customer, windowStartMs, dimensions, partition, chunk })
          return tables.windows.get(revisionKey(tenant, meter, revision))?.get(key) ?? []
        }),
      ),
    seriesOfDays: ({ partition, isBackfilled }, days) =>
      call(
        () =>
          new Map(
            days.flatMap((day) => {
              const rows = [...(tables.windows.get(revisionKey(day.tenant, day.meter, day.revision))?.values() ?? [])]
              const ofDay = rows.filter(
                (row) =>
                  row.customer === day.customer &&
                  row.partition === partition &&
                  row.chunk >= BACKFILL_CHUNK_BASE === isBackfilled &&
                  seriesDay(row.windowStartMs) === day.day,
              )
              return ofDay.length === 0 ? [] : [[day, seriesIn(ofDay)] as const]
            }),
          ),
      ),
    seriesOfMeters: (meters, isBackfilled, seriesMax) =>
      call(() =>
        meters.map(({ tenant, meter, revision }) => {
          const rows = [...(tables.windows.get(revisionKey(tenant, meter, revision))?.values() ?? [])]
          const series = seriesIn(rows.filter((row) => row.chunk >= BACKFILL_CHUNK_BASE === isBackfilled))
          return series.length > seriesMax ? null : series
        }),
      ),
    usageOfCustomers: (query) =>
      call(() => {
        const rows = tables.windows.get(revisionKey(query.tenant, query.meter, query.revision))?.values() ?? []
        return customerUsageOf(rows, query, chunkRecords)
      }),
    scanEventPrints: () => {
      throw new Error('an aggregator compares no events')
    },
    scanSlices: () => {
      throw new Error('an aggregator compares no windows')
    },
    activations: () => call(() => [...tables.activations.values()].map(readActivation)),
    putActivations: (activations) =>
      insert(activations, (activation) => {
        assertOwner(caller, activation.partition)
        putActivation(tables, activation)
      }),
    async dropWindows(tenant, meter, beforeRevision) {
      await call(() => {
        for (const [key, rows] of tables.windows) {
          const [row] = rows.values()
          if (row?.tenant === tenant && row.meter === meter && row.revision < beforeRevision) tables.windows.delete(key)
        }
      })
      await call(() => {
        for (const [key, each] of tables.activations) {
          if (each.tenant === tenant && each.meter === meter && each.revision < beforeRevision) tables.activations.delete(key)
        }
      })
    },
    query: () => Promise.reject(new Error('an aggregator sends no SQL')),
    analystTables: { write: () => Promise.reject(new Error('an aggregator writes no book')), empty: async () => undefined },
    ping: async () => undefined,
    stop: async () => undefined,
  }
}

const PAGE_ROWS = 100

function seriesIn(rows: readonly WindowRow[]): readonly number[] {
  return [...new Set(rows.map(({ dimensions }) => seriesHash(Object.values(dimensions))))]
}

function putEvent(tables: Tables, event: StoredEvent): void {
  const ofPartition = tables.events.get(event.partition) ?? new Map<string, StoredEvent>()
  tables.events.set(event.partition, ofPartition)
  const place = `${event.offset} ${event.index}`
  const isRewrite = ofPartition.has(place)
  ofPartition.set(place, event)
  if (isRewrite) return
  const key = eventKey(event)
  const sameKey = tables.eventsByKey.get(key)
  if (sameKey === undefined) tables.eventsByKey.set(key, [event])
  else sameKey.push(event)
}

/** The highest version wins; among equal ones the last. */
function putWindow(tables: Tables, row: WindowRow): void {
  const revision = revisionKey(row.tenant, row.meter, row.revision)
  const rows = tables.windows.get(revision) ?? new Map<string, WindowRow>()
  tables.windows.set(revision, rows)
  const key = windowKey(row)
  const known = rows.get(key)
  if (known === undefined || row.version >= known.version || isSwitchedOff('version check')) rows.set(key, row)
}

function putPosition(tables: Tables, partition: Partition, next: Offset): void {
  if (next > (tables.positions.get(partition) ?? 0)) tables.positions.set(partition, next)
}

function putActivation(tables: Tables, activation: MeterActivation): void {
  const key = activationKey(activation)
  const known = tables.activations.get(key)
  if (known === undefined || !known.backfilled || activation.backfilled) tables.activations.set(key, activation)
}

function readActivation(activation: MeterActivation): MeterActivation {
  return isSwitchedOff('activation offset') ? { ...activation, fromOffset: 0 as Offset } : activation
}

function findEvents(tables: Tables, keys: readonly EventKey[], receivedFromMs: InstantMs) {
  const found = new Map<EventKey, EventPosition & { readonly receivedAtMs: InstantMs }>()
  if (isSwitchedOff('dedupe look-up')) return found
  for (const key of keys) {
    const [first] = (tables.eventsByKey.get(eventKey(key)) ?? []).filter((event) => event.receivedAtMs >= receivedFromMs).sort(byPosition)
    if (first === undefined) continue
    const { partition, index, receivedAtMs } = first
    // Without the rule, any row found counts as the first one, wherever it stands.
    found.set(key, isSwitchedOff('same position is itself') ? { partition, offset: -1 as Offset, index, receivedAtMs } : first)
  }
  return found
}

function scanEvents(tables: Tables, scan: EventScan): StoredEvent[] {
  const { tenant, types, customers, minutes, partition, fromMs, toMs, fromOffset, toOffset, receivedFromMs } = scan
  const all =
    partition === undefined
      ? [...tables.events.values()].flatMap((each) => [...each.values()])
      : [...(tables.events.get(partition)?.values() ?? [])]
  return all
    .filter(
      (event) =>
        (tenant === undefined || event.tenant === tenant) &&
        (types === undefined || types.includes(event.type)) &&
        (customers === undefined || customers.includes(event.customer)) &&
        (minutes === undefined ||
          minutes.some((minute) => minute.customer === event.customer && minute.startMs === startOfMinute(event))) &&
        event.occurredAtMs >= (fromMs ?? 0) &&
        event.occurredAtMs < (toMs ?? Number.POSITIVE_INFINITY) &&
        event.offset >= (fromOffset ?? 0) &&
        event.offset < (toOffset ?? Number.POSITIVE_INFINITY) &&
        event.receivedAtMs >= (receivedFromMs ?? 0),
    )
    .sort(byPosition)
}

function startOfMinute({ occurredAtMs }: StoredEvent): number {
  return Math.floor(occurredAtMs / 60_000) * 60_000
}

function byPosition(a: EventPosition, b: EventPosition): number {
  return a.partition - b.partition || a.offset - b.offset || a.index - b.index
}

function eventKey({ tenant, customer, source, id }: EventKey): string {
  return JSON.stringify([tenant, customer, source, id])
}

function revisionKey(tenant: string, meter: string, revision: number): string {
  return JSON.stringify([tenant, meter, revision])
}

function windowKey(row: Pick<WindowRow, 'customer' | 'windowStartMs' | 'dimensions' | 'partition' | 'chunk'>): string {
  return JSON.stringify([row.customer, row.windowStartMs, row.dimensions, row.partition, row.chunk])
}

function activationKey({ tenant, meter, revision, partition }: Omit<MeterActivation, 'fromOffset' | 'backfilled'>): string {
  return JSON.stringify([tenant, meter, revision, partition])
}
