import type { TollgateProcess } from '../../test/support/tollgate-process.ts'
import { type Leg, measureLeg, QUERYABLE_WITHIN_MS, sendEvents } from '../ingest-leg.ts'
import { createBenchCatalog, metricOf, whenQueryable, withServer } from '../measured-server.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { readProcessUsage } from '../process-usage.ts'
import { sizeLabel, storedSizes } from '../stored-events.ts'
import { DEFAULT_WORKLOAD } from '../usage-workload.ts'

export const growthPart: BenchPart = {
  name: 'growth',
  about: 'CPU per event against the events stored and against the customers, HTTP to queryable',
  run: measureGrowth,
}

const BATCH_EVENTS = 1_000
/** Slower than any machine that this is worth running on. */
const EVENTS_PER_SECOND_MIN = 10_000

async function measureGrowth(context: BenchContext): Promise<readonly Figure[]> {
  const byStored = await withServer(context, (server) => measureByStored(server, context))
  const figures = [...byStored]
  for (const customers of context.isQuick ? [100, 1_000] : [100, 10_000, 1_000_000]) {
    figures.push(await withServer(context, (server) => measureByCustomers(server, customers, context)))
  }
  return figures
}

/** The last events before each size is reached. */
async function measureByStored(server: TollgateProcess, context: BenchContext): Promise<readonly Figure[]> {
  await createBenchCatalog(server)
  const sinceMs = Date.now() - 60_000
  const sizes = storedSizes(context)
  const legEvents = Math.min(...sizes) / 2
  const figures: Figure[] = []
  let stored = 0
  for (const size of sizes) {
    context.progress(`${size.toLocaleString('en')} events`)
    const missing = size - legEvents - stored
    const filled = await sendEvents(server, { batchEvents: BATCH_EVENTS, idPrefix: `f${size}`, ...eventsOnly(missing) })
    stored += filled.newEvents
    await whenQueryable(server, sinceMs, stored, QUERYABLE_WITHIN_MS)
    const leg = await measureLeg(server, { batchEvents: BATCH_EVENTS, idPrefix: `m${size}`, ...eventsOnly(legEvents) })
    stored += leg.load.newEvents
    figures.push(cpuFigure(`${sizeLabel(size)}stored, ${DEFAULT_WORKLOAD.customers.toLocaleString('en')} customers`, server, leg))
  }
  return figures
}

/** Each customer in turn, all of them seen before what is measured. */
async function measureByCustomers(server: TollgateProcess, customers: number, context: BenchContext): Promise<Figure> {
  context.progress(`${customers.toLocaleString('en')} customers`)
  await createBenchCatalog(server)
  const sinceMs = Date.now() - 60_000
  const legEvents = context.isQuick ? 50_000 : 1_000_000
  const workload = { ...DEFAULT_WORKLOAD, customers, poolEvents: Math.max(legEvents / 5, customers), isEven: true }
  const seen = await sendEvents(server, { batchEvents: BATCH_EVENTS, idPrefix: 'seen', workload, ...eventsOnly(legEvents) })
  await whenQueryable(server, sinceMs, seen.newEvents, QUERYABLE_WITHIN_MS)
  const rowsBefore = await windowRows(server)
  const spec = { batchEvents: BATCH_EVENTS, idPrefix: 'leg', workload, ...eventsOnly(legEvents) }
  const leg = await measureLeg(server, spec)
  const rowsAnEvent = ((await windowRows(server)) - rowsBefore) / leg.load.newEvents
  const figure = cpuFigure(`${customers.toLocaleString('en')} customers in turn`, server, leg)
  return { ...figure, note: `${rowsAnEvent.toFixed(2)} window rows an event; ${figure.note}` }
}

function eventsOnly(eventsMax: number): { readonly eventsMax: number; readonly durationMs: number } {
  return { eventsMax, durationMs: Math.max(30_000, (eventsMax / EVENTS_PER_SECOND_MIN) * 1_000) }
}

function windowRows(server: TollgateProcess): Promise<number> {
  return metricOf(server, 'tollgate_usage_store_row_total{table="usage_windows"}')
}

function cpuFigure(what: string, server: TollgateProcess, leg: Leg): Figure {
  const mebibytes = readProcessUsage(server.pid).residentBytes / 2 ** 20
  const perSecond = Math.round(leg.load.events / (leg.queryableMs / 1_000)).toLocaleString('en')
  return {
    what,
    value: leg.cpuMicros,
    unit: 'µs/event',
    note: `${perSecond} events/s; settled with merges ${leg.settledCpuMicros.toFixed(2)}; ${mebibytes.toFixed(0)} MiB resident after`,
  }
}
