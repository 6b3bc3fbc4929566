import { DateTime } from 'luxon'
import {
  DATE_TIME_END_MS,
  type EventScan,
  type UsageQuery,
  type UsageRow,
  type UsageStore,
  type UsageWindow,
} from '../adapters/usage-store/usage-store.ts'
import type { CustomerKey, InstantMs, Period } from '../domain/identity.ts'
import { eventTypesOf } from '../domain/metering/event-reading.ts'
import type { Meter } from '../domain/metering/meter.ts'
import { RefusalError, refuse } from '../domain/refusal.ts'
import { createPartialMinutes } from './partial-minutes.ts'
import { mergeUsageRows, refuseTooManyRows, type UsageGroup } from './usage-rows.ts'

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
  /** Throws `meter_backfilling` when not. */
  requireComplete(meter: Meter): Promise<void>
}

export type UsageReaderOptions = {
  readonly usageStore: Pick<UsageStore, 'usage' | 'scanEvents' | 'activations'>
  /** Partitions of the event log: a meter is complete when each has counted what came before it. */
  readonly partitions: number
}

const MINUTE_MS = 60_000
/** Complete revisions stay complete, so the ones seen are remembered; this many at most. */
const KNOWN_COMPLETE_MAX = 10_000

export function createUsageReader(options: UsageReaderOptions): UsageReader {
  const { usageStore } = options
  const isComplete = createCompletenessCheck(options)

  async function requireComplete(meter: Meter): Promise<void> {
    if (!(await isComplete(meter))) throw new RefusalError(refuse('meter_backfilling', { meter: meter.key }))
  }

  return {
    isComplete,
    requireComplete,
    async read(meter, request) {
      await requireComplete(meter)
      const { fromMs, toMs } = request
      const wholeFromMs = Math.ceil(fromMs / MINUTE_MS) * MINUTE_MS
      const wholeToMs = Math.floor(toMs / MINUTE_MS) * MINUTE_MS
      const hasWhole = wholeFromMs < wholeToMs
      const cut: readonly (readonly [number, number])[] =
        wholeFromMs > wholeToMs
          ? [[fromMs, toMs]]
          : [
              [fromMs, wholeFromMs],
              [wholeToMs, toMs],
            ]
      const edges = cut.flatMap(([startMs, endMs]) =>
        startMs < endMs ? [{ startMs: startMs as InstantMs, endMs: endMs as InstantMs }] : [],
      )
      const whole = hasWhole ? await usageStore.usage(windowQuery(meter, request, wholeFromMs, wholeToMs)) : []
      const rest = await foldEdges(usageStore, meter, request, edges)
      if (rest.length === 0) return whole
      const rows = mergeUsageRows([...whole, ...rest], request.groupBy)
      refuseTooManyRows(rows.length, request.rowsMax)
      return [...rows].sort((a, b) => compareGroups(a, b, request.groupBy))
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

function windowQuery(meter: Meter, request: UsageRequest, fromMs: number, toMs: number): UsageQuery {
  return {
    ...request,
    tenant: meter.tenant,
    meter: meter.key,
    revision: meter.revision,
    aggregation: meter.aggregation,
    fromMs: fromMs as InstantMs,
    toMs: toMs as InstantMs,
  }
}

/** At most two minutes of the meter's events. */
async function foldEdges(
  usageStore: UsageReaderOptions['usageStore'],
  meter: Meter,
  request: UsageRequest,
  edges: readonly Period[],
): Promise<readonly UsageRow[]> {
  const fold = createPartialMinutes(meter, request)
  const isWithin = (instantMs: InstantMs) => edges.some(({ startMs, endMs }) => instantMs >= startMs && instantMs < endMs)
  for (const scan of edgeScans(edges, request.customers)) {
    for await (const events of usageStore.scanEvents({ tenant: meter.tenant, types: eventTypesOf(meter), ...scan })) {
      for (const event of events) if (isWithin(event.occurredAtMs)) fold.add(event)
    }
  }
  return fold.rows()
}

/** Minutes of known customers are one look-up by key, however many they are; else each edge is a scan by time. */
function edgeScans(edges: readonly Period[], customers: readonly CustomerKey[] | undefined): readonly EventScan[] {
  if (customers === undefined) return edges.map(({ startMs, endMs }) => ({ fromMs: startMs, toMs: endMs }))
  if (edges.length === 0) return []
  const starts = new Set(edges.map(({ startMs }) => (Math.floor(startMs / MINUTE_MS) * MINUTE_MS) as InstantMs))
  // No event is of a time that the store cannot keep.
  const stored = [...starts].filter((startMs) => startMs >= 0 && startMs < DATE_TIME_END_MS)
  return [{ minutes: customers.flatMap((customer) => stored.map((startMs) => ({ customer, startMs }))) }]
}

/** Where the window that starts here ends. */
export function windowEndOf(windowStartMs: InstantMs, window: UsageWindow, timezone = 'UTC'): InstantMs {
  // A day is over where the next one starts, which after a skipped midnight is not 24 local hours later.
  const next = DateTime.fromMillis(windowStartMs, { zone: timezone }).plus({ [window]: 1 })
  return (window === 'day' || window === 'month' ? next.startOf(window) : next).toMillis() as InstantMs
}

/** The order in which the store answers: by window, then by group. */
function compareGroups(a: UsageGroup, b: UsageGroup, groupBy: readonly string[]): number {
  if (a.windowStartMs !== b.windowStartMs) return (a.windowStartMs ?? 0) - (b.windowStartMs ?? 0)
  for (const name of groupBy) {
    const [left = '', right = ''] = name === 'customer' ? [a.customer ?? '', b.customer ?? ''] : [a.dimensions[name], b.dimensions[name]]
    if (left !== right) return Buffer.compare(Buffer.from(left), Buffer.from(right))
  }
  return 0
}
