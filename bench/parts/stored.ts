import { removeDirectory, runTollgate, startTollgate, type TollgateProcess } from '../../test/support/servers/tollgate-process.ts'
import { growthFigure, growthLeg } from '../growth-leg.ts'
import { killUnderLoad, restartAtRest } from '../kill-and-restart.ts'
import { createBenchCatalog, serverEnvironment, storedBytes } from '../measured-server.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { whenSettled } from '../process-usage.ts'
import { type StoredEvents, sizeLabel, storedSizes, storeEvents } from '../stored-events.ts'
import { measureQueries } from '../usage-queries.ts'

export const storedPart: BenchPart = {
  name: 'stored',
  about:
    'what grows with the events stored: CPU per event, queries of a month, tollgate verify, kill -9 to ready; --large adds 100 million',
  run: measureAmongStored,
}

const MERGED_WITHIN_MS = 120_000
/** It reads every event, which beyond this takes longer than everything else together. */
const VERIFIED_EVENTS_MAX = 10_000_000

/** One server restarted on one directory, which is filled from size to size. */
async function measureAmongStored(context: BenchContext): Promise<readonly Figure[]> {
  const env = serverEnvironment(context)
  let server = await startTollgate({ env })
  const { dataDir } = server
  const figures: Figure[] = []
  let stored: StoredEvents | undefined
  try {
    await createBenchCatalog(server)
    for (const size of storedSizes(context)) {
      stored = await fillTo(server, size, context, stored)
      const { leg, reached } = await legAmong(server, size, stored, context)
      context.progress('merges')
      await whenSettled(server.pid, MERGED_WITHIN_MS)
      figures.push(leg, storedFigure(server, size, reached))
      figures.push(...(await measureQueries(server, sizeLabel(size), reached.sinceMs, context)))
      await server.kill()
      if (size <= VERIFIED_EVENTS_MAX) figures.push(await verifyFigure(dataDir, env, size, reached, context))
      context.progress('start after kill -9')
      const restarted = await restartAtRest(dataDir, env, sizeLabel(size), reached)
      server = restarted.server
      stored = restarted.stored
      figures.push(...restarted.figures)
    }
    context.progress('kill -9 in the middle of a load')
    const restarted = await killUnderLoad(server, env, 'all of it behind, ')
    server = restarted.server
    return [...figures, ...restarted.figures]
  } finally {
    await server.kill()
    await removeDirectory(dataDir)
  }
}

/** Leaves room for the events that the leg sends. */
function fillTo(server: TollgateProcess, size: number, context: BenchContext, before: StoredEvents | undefined): Promise<StoredEvents> {
  return storeEvents(server, size - legEventsOf(context), context, before)
}

/** The last events before the size is reached. */
async function legAmong(server: TollgateProcess, size: number, before: StoredEvents, context: BenchContext) {
  context.progress('CPU per event')
  const leg = await growthLeg(server, { idPrefix: `m${size}`, events: legEventsOf(context) })
  const reached: StoredEvents = { ...before, stored: before.stored + leg.load.newEvents }
  return { leg: growthFigure(`${sizeLabel(size)}CPU of one more event`, server, leg), reached }
}

function legEventsOf(context: BenchContext): number {
  return Math.min(...storedSizes(context)) / 2
}

/** Recomputes everything from the events, as a daily verify does. */
async function verifyFigure(
  dataDir: string,
  env: Record<string, string>,
  size: number,
  { stored }: StoredEvents,
  context: BenchContext,
): Promise<Figure> {
  context.progress('tollgate verify')
  const startedMs = performance.now()
  const { code, output } = await runTollgate(['verify'], { ...env, TOLLGATE_DATA_DIR: dataDir })
  if (code !== 0) throw new Error(`tollgate verify ended with ${code}:\n${output.slice(-2_000)}`)
  const seconds = (performance.now() - startedMs) / 1_000
  return {
    what: `${sizeLabel(size)}tollgate verify`,
    value: seconds,
    unit: 's',
    note: `${Math.round(stored / seconds).toLocaleString('en')} events/s`,
  }
}

function storedFigure(server: TollgateProcess, size: number, { stored }: StoredEvents): Figure {
  return {
    what: `${sizeLabel(size)}usage store`,
    value: storedBytes(server, 'usage-store') / stored,
    unit: 'bytes/event',
    note: `event log ${(storedBytes(server, 'event-log') / stored).toFixed(0)} for as long as it is kept`,
  }
}
