import type { TollgateProcess } from '../test/support/servers/tollgate-process.ts'
import { type Leg, measureLeg } from './ingest-leg.ts'
import { withinMsOf } from './load.ts'
import type { Figure } from './part.ts'
import { readProcessUsage } from './process-usage.ts'
import type { UsageWorkload } from './usage-workload.ts'

const BATCH_EVENTS = 1_000
const WITHIN_MS_LEAST = 30_000

/** Sends `events` in batches of 1,000, with event times of now. */
export function growthLeg(
  server: TollgateProcess,
  { idPrefix, events, workload }: { readonly idPrefix: string; readonly events: number; readonly workload?: UsageWorkload },
): Promise<Leg> {
  const durationMs = withinMsOf(events, WITHIN_MS_LEAST)
  return measureLeg(server, {
    batchEvents: BATCH_EVENTS,
    idPrefix,
    eventsMax: events,
    durationMs,
    ...(workload === undefined ? {} : { workload }),
  })
}

export function growthFigure(what: string, server: TollgateProcess, leg: Leg): Figure {
  const mebibytes = readProcessUsage(server.pid).residentBytes / 2 ** 20
  const perSecond = Math.round(leg.load.events / (leg.queryableMs / 1_000)).toLocaleString('en')
  return {
    what,
    value: leg.cpuMicros,
    unit: 'µs/event',
    note: `${perSecond} events/s; settled with merges ${leg.settledCpuMicros.toFixed(2)}; ${mebibytes.toFixed(0)} MiB resident after`,
  }
}
