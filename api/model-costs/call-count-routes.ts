import type { Static } from 'typebox'
import type { UsageStore } from '../../adapters/usage-store/usage-store.ts'
import type { Clock } from '../../base/clock.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import { EVENT_AGE_MAX_MS, EVENT_LEAD_MAX_MS } from '../../domain/metering/usage-event.ts'
import { MODEL_CALL_TYPE } from '../../domain/model-calls/model-call.ts'
import { orThrow } from '../../domain/refusal.ts'
import { timeZone } from '../../domain/time/time-zone.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { instantJson } from '../../schemas/http/instants.ts'
import { CallRangeQuerySchema, CallStatusSchema, UnpricedSchema } from '../../schemas/http/model-costs.ts'
import { parseTimeRange } from '../usage/time-range.ts'
import { type CallCounts, createCallCounts } from './call-counts.ts'
import { CALLS_READ_MAX } from './stamped-otherwise.ts'

export type CallCountRoutesDeps = { readonly usageStore: Pick<UsageStore, 'scanEvents'>; readonly clock: Pick<Clock, 'now'> }

/** What calls of models lack: a cost, or a usage that could be read. */
export function callCountRoutes({ usageStore, clock }: CallCountRoutesDeps): (app: HttpApp) => Promise<void> {
  async function counted(tenant: TenantKey, query: Range): Promise<{ counts: CallCounts; complete: boolean }> {
    const latestMs = (clock.now() + EVENT_LEAD_MAX_MS) as InstantMs
    const earliestMs = (latestMs - EVENT_AGE_MAX_MS - EVENT_LEAD_MAX_MS) as InstantMs
    const range = orThrow(parseTimeRange(query, timeZone('UTC'), { fromMs: earliestMs, toMs: latestMs }))
    const counts = createCallCounts()
    let read = 0
    for await (const events of usageStore.scanEvents({ tenant, types: [MODEL_CALL_TYPE], ...range })) {
      for (const event of events.slice(0, CALLS_READ_MAX - read)) counts.add(event)
      read += events.length
      if (read > CALLS_READ_MAX) break
    }
    return { counts, complete: read <= CALLS_READ_MAX }
  }
  return async (app) => {
    app.get(
      '/v1/model-costs/unpriced',
      { config: { scope: 'read', isHeavyRead: true }, schema: UNPRICED },
      async ({ principal, query }) => {
        const { counts, complete } = await counted(principal.tenant, query)
        const data = counts
          .unpriced()
          .map(({ sinceMs, samples, ...model }) => ({ ...model, since: instantJson(sinceMs), samples: [...samples] }))
        return { data, complete }
      },
    )
    app.get('/v1/model-calls/status', { config: { scope: 'read', isHeavyRead: true }, schema: STATUS }, async ({ principal, query }) => {
      const { counts, complete } = await counted(principal.tenant, query)
      const { calls } = counts
      return {
        ...{ calls, byBasis: counts.of('usage_basis'), byWarning: counts.of('usage_warning'), byStatus: counts.of('status') },
        ...{ bySurface: counts.of('surface'), complete },
      }
    })
  }
}

type Range = Static<typeof CallRangeQuerySchema>

const LOOKED_AT = `Up to ${CALLS_READ_MAX.toLocaleString('en')} calls are looked at; when there are more in the range, complete is false: ask for a shorter one.`
const UNPRICED = {
  tags: ['model costs'],
  operationId: 'listUnpricedModels',
  summary: 'Calls that have no cost, by model and reason, the most frequent first',
  description: LOOKED_AT,
  querystring: CallRangeQuerySchema,
  response: { 200: UnpricedSchema, ...REFUSALS },
}
const STATUS = {
  tags: ['model costs'],
  operationId: 'getModelCallStatus',
  summary: 'How calls were told: by basis, warning, status and surface',
  description: LOOKED_AT,
  querystring: CallRangeQuerySchema,
  response: { 200: CallStatusSchema, ...REFUSALS },
}
