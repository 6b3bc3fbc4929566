import { DateTime } from 'luxon'
import type { EventScan, StoredEvent, UsageQuery, UsageRow, UsageStore, UsageWindow } from '../adapters/usage-store/usage-store.ts'
import { eventTypesOf, readEvent } from '../domain/event-reading.ts'
import type { CustomerKey, InstantMs, MeterKey, TenantKey } from '../domain/identity.ts'
import type { Meter } from '../domain/meter.ts'
import { type Aggregate, addToAggregate, emptyAggregate, matchesFilter, mergeAggregates } from '../domain/metering.ts'
import { RefusalError, refuse } from '../domain/refusal.ts'

/** Half-open, to the millisecond. */
export type UsageRequest = {
  /** Any of these; all when undefined. */
  readonly customers?: readonly CustomerKey[]
  readonly fromMs: InstantMs
  readonly toMs: InstantMs
  /** Undefined: one row per group. */
  readonly window?: UsageWindow
  /** IANA name; decides where hours, days and months begin. */
  readonly timezone?: string
  readonly groupBy: readonly string[]
  readonly filter: Readonly<Record<string, readonly string[]>>
  readonly rowsMax: number
}

/**
 * What a meter counted. Windows and periods with nothing counted have no row. Throws refusals: `meter_backfilling`
 * (409) until the meter has counted the events from before it was made, `too_many_rows` (400).
 */
export type UsageReader = {
  read(meter: Meter, request: UsageRequest): Promise<readonly UsageRow[]>
  /** Has every partition counted what came before this revision of the meter? */
  isComplete(meter: Meter): Promise<boolean>
}

export type UsageReaderOptions = {
  readonly usageStore: Pick<UsageStore, 'usage' | 'scanEvents' | 'activations'>
  /** Partitions of the event log: a meter is complete when each has counted what came before it. */
  readonly partitions: number
}

const MINUTE_MS = 60_000
const BACKFILL_RETRY_SECONDS = 2
/** Complete revisions stay complete, so the ones seen are remembered; this many at most. */
const KNOWN_COMPLETE_MAX = 10_000

export function createUsageReader(options: UsageReaderOptions): UsageReader {
  const { usageStore } = options
  const isComplete = createCompletenessCheck(options)

  return {
    isComplete,
    async read(meter, request) {
      if (!(await isComplete(meter))) throw new RefusalError(meterBackfilling(meter.key))
      const { fromMs, toMs } = request
      const wholeFromMs = Math.ceil(fromMs / MINUTE_MS) * MINUTE_MS
      const wholeToMs = Math.floor(toMs / MINUTE_MS) * MINUTE_MS
      // Usage is stored by the minute; what a period cuts out of its first and last minute is folded from their events.
      const hasWhole = wholeFromMs < wholeToMs
      const edges =
        wholeFromMs > wholeToMs
          ? [[fromMs, toMs]]
          : [
              [fromMs, wholeFromMs],
              [wholeToMs, toMs],
            ]
      const whole = hasWhole ? await usageStore.usage(windowQuery(meter, request, wholeFromMs, wholeToMs)) : []
      const rest: UsageRow[] = []
      for (const [startMs, endMs] of edges) {
        if (startMs !== undefined && endMs !== undefined && startMs < endMs) {
          rest.push(...(await readEdge(usageStore, meter, request, startMs as InstantMs, endMs as InstantMs)))
        }
      }
      return rest.length === 0 ? whole : mergeRows([...whole, ...rest], request)
    },
  }
}

function createCompletenessCheck({ usageStore, partitions }: UsageReaderOptions): (meter: Meter) => Promise<boolean> {
  const known = new Set<string>()
  return async (meter) => {
    const name = JSON.stringify([meter.tenant, meter.key, meter.revision])
    if (known.has(name)) return true
    const complete = new Set<number>()
    for (const activation of await usageStore.activations()) {
      const isOfMeter = activation.tenant === meter.tenant && activation.meter === meter.key && activation.revision === meter.revision
      if (isOfMeter && activation.backfilled) complete.add(activation.partition)
    }
    if (complete.size < partitions) return false
    if (known.size >= KNOWN_COMPLETE_MAX) known.clear()
    known.add(name)
    return true
  }
}

function meterBackfilling(key: MeterKey) {
  return refuse(
    'meter_backfilling',
    `Meter ${key} is new or changed and is still counting the events from before. Its usage is complete shortly; try again in ${BACKFILL_RETRY_SECONDS} s.`,
    { status: 409, retryAfterSeconds: BACKFILL_RETRY_SECONDS },
  )
}

function windowQuery(meter: Meter, request: UsageRequest, fromMs: number, toMs: number): UsageQuery {
  return {
    ...request,
    tenant: meter.tenant,
    meter: meter.key,
    revision: meter.revision,
    fromMs: fromMs as InstantMs,
    toMs: toMs as InstantMs,
  }
}

type GroupKey = Pick<UsageRow, 'windowStartMs' | 'customer' | 'dimensions'>

/** At most two minutes of the meter's events. */
async function readEdge(
  usageStore: UsageReaderOptions['usageStore'],
  meter: Meter,
  request: UsageRequest,
  fromMs: InstantMs,
  toMs: InstantMs,
): Promise<readonly UsageRow[]> {
  const groups = new Map<string, GroupKey & { aggregate: Aggregate }>()
  const types = eventTypesOf(meter)
  for await (const events of usageStore.scanEvents({ ...scope(meter.tenant, request), types, fromMs, toMs })) {
    for (const event of events) foldEdgeEvent(groups, meter, request, event)
    refuseTooManyRows(groups.size, request.rowsMax)
  }
  return [...groups.values()].map(({ aggregate, ...key }) => toUsageRow(key, aggregate))
}

function scope(tenant: TenantKey, { customers }: UsageRequest): Pick<EventScan, 'tenant' | 'customers'> {
  return customers === undefined ? { tenant } : { tenant, customers }
}

function foldEdgeEvent(
  groups: Map<string, GroupKey & { aggregate: Aggregate }>,
  meter: Meter,
  request: UsageRequest,
  event: StoredEvent,
): void {
  const read = readEvent(meter, event, JSON.parse(event.data) as object)
  if (read === null || 'unreadable' in read.reading || !matchesFilter(request.filter, read.dimensions)) return
  const { reading, dimensions } = read
  const group: GroupKey = {
    windowStartMs: request.window === undefined ? null : windowStartOf(event.occurredAtMs, request.window, request.timezone),
    customer: request.groupBy.includes('customer') ? event.customer : null,
    dimensions: Object.fromEntries(request.groupBy.filter((name) => name !== 'customer').map((name) => [name, dimensions[name] ?? ''])),
  }
  const name = nameOf(group, request)
  const before = groups.get(name)?.aggregate ?? emptyAggregate
  groups.set(name, { ...group, aggregate: addToAggregate(before, meter.aggregation, reading, event) })
}

function windowStartOf(instantMs: InstantMs, window: UsageWindow, timezone = 'UTC'): InstantMs {
  if (window === 'minute') return (Math.floor(instantMs / MINUTE_MS) * MINUTE_MS) as InstantMs
  return DateTime.fromMillis(instantMs, { zone: timezone }).startOf(window).toMillis() as InstantMs
}

/** Where the window that starts here ends. */
export function windowEndOf(windowStartMs: InstantMs, window: UsageWindow, timezone = 'UTC'): InstantMs {
  // A day is over where the next one starts, which after a skipped midnight is not 24 local hours later.
  const next = DateTime.fromMillis(windowStartMs, { zone: timezone }).plus({ [window]: 1 })
  return (window === 'day' || window === 'month' ? next.startOf(window) : next).toMillis() as InstantMs
}

function nameOf(group: GroupKey, { groupBy }: UsageRequest): string {
  return JSON.stringify([group.windowStartMs, ...groupBy.map((name) => (name === 'customer' ? group.customer : group.dimensions[name]))])
}

function mergeRows(rows: readonly UsageRow[], request: UsageRequest): readonly UsageRow[] {
  const merged = new Map<string, UsageRow>()
  for (const row of rows) {
    const name = nameOf(row, request)
    const same = merged.get(name)
    merged.set(name, same === undefined ? row : toUsageRow(row, mergeAggregates(aggregateOfRow(same), aggregateOfRow(row))))
  }
  refuseTooManyRows(merged.size, request.rowsMax)
  return [...merged.values()].sort((a, b) => compareGroups(a, b, request.groupBy))
}

/** The order in which the store answers: by window, then by group. */
function compareGroups(a: GroupKey, b: GroupKey, groupBy: readonly string[]): number {
  if (a.windowStartMs !== b.windowStartMs) return (a.windowStartMs ?? 0) - (b.windowStartMs ?? 0)
  for (const name of groupBy) {
    const [left = '', right = ''] = name === 'customer' ? [a.customer ?? '', b.customer ?? ''] : [a.dimensions[name], b.dimensions[name]]
    if (left !== right) return Buffer.compare(Buffer.from(left), Buffer.from(right))
  }
  return 0
}

function refuseTooManyRows(rows: number, rowsMax: number): void {
  if (rows <= rowsMax) return
  throw new RefusalError(
    refuse('too_many_rows', `The answer has more than ${rowsMax} rows. Ask for a shorter time, a longer window or fewer groups.`),
  )
}

/** A row as what can be merged with others. */
export function aggregateOfRow(row: UsageRow): Aggregate {
  const { events, sum, min, max, latest, latestAtMs, latestOffset, latestIndex, unique } = row
  const hasLatest = latest !== null && latestAtMs !== null && latestOffset !== null && latestIndex !== null
  return {
    events,
    sum,
    min,
    max,
    latest: hasLatest ? { value: latest, occurredAtMs: latestAtMs, offset: latestOffset, index: latestIndex } : null,
    unique,
  }
}

function toUsageRow(key: GroupKey, { latest, ...totals }: Aggregate): UsageRow {
  return {
    windowStartMs: key.windowStartMs,
    customer: key.customer,
    dimensions: key.dimensions,
    ...totals,
    latest: latest?.value ?? null,
    latestAtMs: latest?.occurredAtMs ?? null,
    latestOffset: latest?.offset ?? null,
    latestIndex: latest?.index ?? null,
  }
}
