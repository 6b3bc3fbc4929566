import { Type } from 'typebox'
import type { HttpApp } from '../../schemas/http/common.ts'
import { SUBSCRIPTIONS_MAX } from '../customers.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { attachAction } from './attach.ts'
import { bodyOf, OptionalText } from './bodies.ts'
import { planJson } from './plans.ts'
import { featureJson, runningPlans } from './shapes.ts'

/** Plans and features as they are sold. */
export async function catalogRoutes(app: HttpApp, { own }: VendorKit): Promise<void> {
  app.post('/plans.list', { config: ANY_KEY }, async (request) => {
    const { customer_id: customer, include_archived: withArchived } = bodyOf(request, ListSchema)
    const tollgate = own(request)
    const [{ data: plans }, { data: features }] = await Promise.all([
      tollgate.plans({ limit: LIST_MAX, archived: withArchived === true ? 'any' : 'false' }),
      tollgate.features({ limit: LIST_MAX, archived: 'any' }),
    ])
    if (customer == null) return { list: plans.map((plan) => planJson(plan, features, '')) }
    const { data: subscriptions } = await tollgate.subscriptions({ customer, limit: SUBSCRIPTIONS_MAX })
    const running = await runningPlans(tollgate, subscriptions)
    return {
      list: plans.map((plan) =>
        planJson(plan, features, {
          status: running.some(({ key }) => key === plan.key) ? 'active' : 'available',
          attach_action: attachAction(plan, running),
        }),
      ),
    }
  })

  app.post('/plans.get', { config: ANY_KEY }, async (request) => {
    const { plan_id: key, version } = bodyOf(request, PlanSchema)
    const tollgate = own(request)
    const [plan, { data: features }] = await Promise.all([
      tollgate.plan(key, version ?? undefined),
      tollgate.features({ limit: LIST_MAX, archived: 'any' }),
    ])
    return planJson(plan, features, '')
  })

  app.post('/features.list', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    const [{ data: features }, { data: meters }] = await Promise.all([
      tollgate.features({ limit: LIST_MAX }),
      tollgate.meters({ limit: LIST_MAX }),
    ])
    const eventTypes = new Map(meters.map(({ key, eventType }) => [key, eventType]))
    const shown = features.filter(({ type }) => type !== 'config')
    return { list: shown.map((feature) => featureJson(feature, feature.meter === null ? undefined : eventTypes.get(feature.meter))) }
  })

  app.post('/features.get', { config: ANY_KEY }, async (request) => {
    const tollgate = own(request)
    const feature = await tollgate.feature(bodyOf(request, FeatureSchema).feature_id)
    return featureJson(feature, feature.meter === null ? undefined : (await tollgate.meter(feature.meter)).eventType)
  })
}

const LIST_MAX = 1_000
const ListSchema = Type.Object({ customer_id: OptionalText, include_archived: Type.Optional(Type.Boolean()) })
const PlanSchema = Type.Object({ plan_id: Type.String(), version: Type.Optional(Type.Union([Type.Integer(), Type.Null()])) })
const FeatureSchema = Type.Object({ feature_id: Type.String() })
