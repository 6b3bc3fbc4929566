import { type Static, Type } from 'typebox'
import type { MeterRecord, MeterStore } from '../../adapters/database/meters/meter-store.ts'
import { backoffMs } from '../../base/backoff.ts'
import type { Clock } from '../../base/clock.ts'
import type { MeterKey } from '../../domain/identity.ts'
import type { EventSelection } from '../../domain/metering/event-selection.ts'
import type { Meter } from '../../domain/metering/meter.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import { KeyParamsSchema, MeterInputSchema, MeterSchema, REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'
import { CountedQuerySchema, recordTimesJson } from '../../schemas/http/record-times.ts'
import { validateMeter } from './validate-meter.ts'

export type MeterRoutesDeps = {
  readonly meters: Pick<MeterStore, 'put' | 'get' | 'list' | 'delete'>
  /** Whether every partition has counted the events from before this revision of the meter. */
  readonly isMeterReady: (meter: Meter) => Promise<boolean>
  /** A put answers when the meter has counted the events from before it, or after this long, as `backfilling`. */
  readonly meterReadyWaitMaxMs?: number
  readonly clock: Clock
}

export function meterRoutes(deps: MeterRoutesDeps): (app: HttpApp) => Promise<void> {
  const { meters, isMeterReady, clock, meterReadyWaitMaxMs = METER_READY_WAIT_MAX_MS } = deps
  return async (app) => {
    app.put('/v1/meters/:key', { config: { scope: 'admin' }, schema: PUT_METER }, async (request, reply) => {
      const definition = orThrow(validateMeter(request.body))
      const { value: meter, result } = orThrow(await meters.put(request.principal.tenant, request.params.key as MeterKey, definition))
      const isReady = await untilTrue(() => isMeterReady(meter), meterReadyWaitMaxMs, clock)
      return reply.code(result === 'created' ? 201 : 200).send(meterJson(meter, isReady))
    })
    app.get('/v1/meters/:key', { config: { scope: 'read' }, schema: GET_METER }, async (request) => {
      const key = request.params.key as MeterKey
      const meter = orThrow((await meters.get(request.principal.tenant, key)) ?? refuse('unknown_meter', { meter: key }))
      return meterJson(meter, await isMeterReady(meter))
    })
    app.get('/v1/meters', { config: { scope: 'read' }, schema: LIST_METERS }, async (request) => {
      const { limit = LIMIT_DEFAULT, ...rest } = request.query
      const { data, ...page } = await meters.list(request.principal.tenant, { limit, ...rest })
      const shown = []
      for (const meter of data) shown.push(meterJson(meter, await isMeterReady(meter)))
      return { ...page, data: shown }
    })
    app.delete('/v1/meters/:key', { config: { scope: 'admin' }, schema: DELETE_METER }, async (request, reply) => {
      const key = request.params.key as MeterKey
      orThrow(orThrow(await meters.delete(request.principal.tenant, key)) ?? refuse('unknown_meter', { meter: key }))
      return reply.code(204).send(null)
    })
  }
}

const LIMIT_DEFAULT = 100
const METER_READY_WAIT_MAX_MS = 10_000
/** Doubled each time, as a look is a query, and a meter over many events takes seconds. */
const METER_READY_POLL = { firstMs: 20, mostMs: 320 }
const TAGS = { tags: ['meters'] }

const PUT_METER = {
  ...TAGS,
  operationId: 'putMeter',
  summary: 'Make or change a meter',
  description: 'A new or changed meter counts the events from before it too; the answer waits for that, for 10 seconds at most.',
  params: KeyParamsSchema,
  body: MeterInputSchema,
  response: { 200: MeterSchema, 201: MeterSchema, ...REFUSALS },
}
const GET_METER = {
  ...TAGS,
  operationId: 'getMeter',
  summary: 'A meter',
  params: KeyParamsSchema,
  response: { 200: MeterSchema, ...REFUSALS },
}
const LIST_METERS = {
  ...TAGS,
  operationId: 'listMeters',
  summary: 'Meters in the order of their keys',
  querystring: CountedQuerySchema,
  response: { 200: PageSchema(MeterSchema), ...REFUSALS },
}
const DELETE_METER = {
  ...TAGS,
  operationId: 'deleteMeter',
  summary: 'Delete a meter that no feature reads; its events stay',
  params: KeyParamsSchema,
  response: { 204: Type.Null(), ...REFUSALS },
}

/** False when it did not become true within the wait. */
async function untilTrue(isTrue: () => Promise<boolean>, waitMaxMs: number, clock: Clock): Promise<boolean> {
  // Waited time is added up, not read from the clock, so that the bound holds whatever the clock does.
  let waitedMs = 0
  for (let looks = 1; !(await isTrue()); looks++) {
    if (waitedMs >= waitMaxMs) return false
    const pauseMs = backoffMs(METER_READY_POLL, looks)
    await clock.sleep(pauseMs)
    waitedMs += pauseMs
  }
  return true
}

function meterJson(meter: MeterRecord, isReady: boolean): Static<typeof MeterSchema> {
  const { key, eventType, aggregation, value, dimensions, where, onInexact, allowNegative, seriesMax } = meter
  const [only] = value
  const shownValue = only === undefined ? {} : { value: value.length === 1 ? only : [...value] }
  const rules = {
    ...(where && { where: shownWhere(where) }),
    ...(onInexact && { onInexact }),
    ...(allowNegative && { allowNegative }),
    ...(seriesMax === undefined ? {} : { seriesMax }),
  }
  return {
    key,
    eventType,
    aggregation,
    ...shownValue,
    dimensions: { ...dimensions },
    ...rules,
    status: isReady ? 'ready' : 'backfilling',
    ...recordTimesJson(meter),
  }
}

function shownWhere(where: EventSelection): NonNullable<Static<typeof MeterSchema>['where']> {
  return Object.fromEntries(
    Object.entries(where).map(([path, condition]) => [path, 'in' in condition ? { in: [...condition.in] } : condition]),
  )
}
