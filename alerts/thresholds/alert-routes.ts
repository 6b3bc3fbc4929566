import type { Static } from 'typebox'
import type { AlertRecord, AlertStore } from '../../adapters/database/alerts/alert-store.ts'
import type { FeatureReader } from '../../adapters/database/features/feature-store.ts'
import type { Threshold } from '../../domain/alerts/alert.ts'
import { parseQuantity } from '../../domain/decimal.ts'
import { allowanceOf } from '../../domain/entitlements/decision.ts'
import type { CustomerKey, FeatureKey } from '../../domain/identity.ts'
import { type Outcome, orThrow, refuse, refuseField, refuseFields } from '../../domain/refusal.ts'
import type { Entitlements } from '../../entitlements/entitlements.ts'
import { AlertInputSchema, AlertSchema, ReachedAlertsSchema } from '../../schemas/http/alerts.ts'
import { CustomerParamsSchema, KeyParamsSchema, REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'
import { CountedQuerySchema, recordTimesJson } from '../../schemas/http/record-times.ts'
import { standingJson, thresholdText } from './alert-data.ts'

export type AlertRoutesDeps = {
  readonly alerts: AlertStore
  readonly features: FeatureReader
  readonly entitlements: Pick<Entitlements, 'cache' | 'balances'>
}

/** When customers reach a part of what they may use. */
export function alertRoutes({ alerts, features, entitlements: { cache, balances } }: AlertRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.put('/v1/alerts/:key', { config: { scope: 'billing' }, schema: PUT_ALERT }, async (request, reply) => {
      const { tenant } = request.principal
      const { on, at, customers = null } = request.body
      const feature = request.body.feature as FeatureKey
      const known = await features.get(tenant, feature)
      if (known === null) orThrow(refuseField('feature', refuse('unknown_feature', { feature })))
      else if (known.type !== 'metered') orThrow(refuseField('feature', refuse('feature_not_metered', { feature, wanted: 'alert' })))
      const own = customers === null ? null : [...new Set(customers)].sort().map((each) => each as CustomerKey)
      const alert = { key: request.params.key, on, feature, at: orThrow(readThreshold(at)), customers: own } as const
      const { value, result } = orThrow(await alerts.put(tenant, alert))
      return reply.code(result === 'created' ? 201 : 200).send(alertJson(value))
    })
    app.get('/v1/alerts/:key', { config: { scope: 'read' }, schema: GET_ALERT }, async ({ principal, params: { key } }) =>
      alertJson(orThrow((await alerts.get(principal.tenant, key)) ?? refuse('unknown_alert', { alert: key }))),
    )
    app.get('/v1/alerts', { config: { scope: 'read' }, schema: LIST_ALERTS }, async ({ principal, query }) => {
      const { limit = LIMIT_DEFAULT, ...rest } = query
      const { data, ...page } = await alerts.list(principal.tenant, { limit, ...rest })
      return { ...page, data: data.map(alertJson) }
    })
    app.delete('/v1/alerts/:key', { config: { scope: 'billing' }, schema: DELETE_ALERT }, async ({ principal, params: { key } }, reply) => {
      if (!(await alerts.remove(principal.tenant, key))) orThrow(refuse('unknown_alert', { alert: key }))
      return reply.code(204).send(null)
    })
    app.get('/v1/customers/:key/alerts', { config: { scope: 'read' }, schema: LIST_REACHED }, async ({ principal: { tenant }, params }) => {
      const customer = params.key as CustomerKey
      const data: Static<typeof ReachedAlertsSchema>['data'] = []
      const { entitlements: own } = await cache.entitlementsOf(tenant, customer)
      for (const { alert: key } of await alerts.reached(tenant, { customer })) {
        const feature = (await alerts.get(tenant, key))?.feature
        const entitlement = feature === undefined ? undefined : own.get(feature)
        if (entitlement?.type !== 'metered') continue
        const [metered] = await balances.spent(tenant, customer, [entitlement])
        if (metered === undefined) continue
        const { usedUnits, limit } = allowanceOf(entitlement, metered.spent)
        const standing = standingJson({ usedUnits, limit, period: metered.spent.period })
        data.push({ alert: key, customer, feature: entitlement.feature, ...standing })
      }
      return { data }
    })
  }
}

const LIMIT_DEFAULT = 100

/** Refuses `invalid_threshold`. */
function readThreshold(at: string | number): Outcome<Threshold> {
  const isPercent = typeof at === 'string' && at.endsWith('%')
  const value = parseQuantity(isPercent ? at.slice(0, -1) : at)
  if (value !== null && value > 0n) return isPercent ? { percentNano: value } : { units: value }
  const detail = `at must be a quantity above 0 or a percentage such as 80%, with at most 9 fractional digits; was ${at}`
  return refuseFields('invalid_threshold', [{ field: 'at', code: 'invalid_threshold', detail }])
}

function alertJson({ key, on, feature, at, customers, ...times }: AlertRecord): Static<typeof AlertSchema> {
  return { key, on, feature, at: thresholdText(at), customers: customers === null ? null : [...customers], ...recordTimesJson(times) }
}

const TAGS = { tags: ['alerts'] }

const PUT_ALERT = {
  ...TAGS,
  operationId: 'putAlert',
  summary: 'Tell by webhook when customers reach a threshold: once per customer and period',
  description:
    '`usage.threshold_reached` is told within a second of the event that reaches it, `usage.threshold_resolved` when it holds no ' +
    'longer: usage fell, the limit was raised, or the period is over; then it is armed again.',
  params: KeyParamsSchema,
  body: AlertInputSchema,
  response: { 200: AlertSchema, 201: AlertSchema, ...REFUSALS },
}
const GET_ALERT = {
  ...TAGS,
  operationId: 'getAlert',
  summary: 'An alert',
  params: KeyParamsSchema,
  response: { 200: AlertSchema, ...REFUSALS },
}
const LIST_ALERTS = {
  ...TAGS,
  operationId: 'listAlerts',
  summary: 'Alerts in the order of their keys',
  querystring: CountedQuerySchema,
  response: { 200: PageSchema(AlertSchema), ...REFUSALS },
}
const DELETE_ALERT = {
  ...TAGS,
  operationId: 'deleteAlert',
  summary: 'Remove an alert',
  params: KeyParamsSchema,
  response: { 204: { type: 'null', description: 'It is gone' }, ...REFUSALS },
}
const LIST_REACHED = {
  ...TAGS,
  operationId: 'listReachedAlerts',
  summary: 'Alerts that a customer is beyond, with what it has used now',
  params: CustomerParamsSchema,
  response: { 200: ReachedAlertsSchema, ...REFUSALS },
}
