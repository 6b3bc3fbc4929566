import type { Static } from 'typebox'
import { Type } from 'typebox'
import type { FeatureReader } from '../../adapters/database/features/feature-store.ts'
import type { OverrideStore } from '../../adapters/database/overrides/override-store.ts'
import type { EntitlementOverride } from '../../domain/entitlements/entitlement-override.ts'
import type { CustomerKey, FeatureKey, TenantKey } from '../../domain/identity.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import { CustomerFeatureParamsSchema, OverrideInputSchema, OverrideSchema } from '../../schemas/http/allowance.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { instantJson } from '../../schemas/http/instants.ts'
import { validateOverride } from '../catalog/validate-entitlement.ts'

export type OverrideRoutesDeps = {
  readonly overrides: OverrideStore
  readonly features: FeatureReader
  /** Awaited after each change, so that the next decision follows it already. */
  readonly onEntitlementsChanged: (tenant: TenantKey, customer: CustomerKey) => Promise<void>
}

/** Overrides what a customer's plans say about a feature. */
export function overrideRoutes({ overrides, features, onEntitlementsChanged }: OverrideRoutesDeps): (app: HttpApp) => Promise<void> {
  return async (app) => {
    const path = '/v1/customers/:key/entitlements/:feature'
    app.put(path, { config: { scope: 'manage' }, schema: PUT_OVERRIDE }, async (request, reply) => {
      const { tenant } = request.principal
      const { customer, feature } = keysOf(request.params)
      const known = orThrow((await features.get(tenant, feature)) ?? refuse('unknown_feature', { feature }))
      const terms = orThrow(validateOverride(request.body, known))
      const { value, result } = orThrow(await overrides.put(tenant, customer, terms))
      await onEntitlementsChanged(tenant, customer)
      return reply.code(result === 'created' ? 201 : 200).send(overrideJson(customer, value))
    })
    app.get(path, { config: { scope: 'read' }, schema: GET_OVERRIDE }, async (request) => {
      const { customer, feature } = keysOf(request.params)
      const found = await overrides.get(request.principal.tenant, customer, feature)
      return overrideJson(customer, orThrow(found ?? refuse('unknown_entitlement', { customer, feature })))
    })
    app.delete(path, { config: { scope: 'manage' }, schema: DELETE_OVERRIDE }, async (request, reply) => {
      const { tenant } = request.principal
      const { customer, feature } = keysOf(request.params)
      orThrow((await overrides.delete(tenant, customer, feature)) ?? refuse('unknown_entitlement', { customer, feature }))
      await onEntitlementsChanged(tenant, customer)
      return reply.code(204).send(null)
    })
  }
}

const TAGS = { tags: ['entitlements'], params: CustomerFeatureParamsSchema }

const PUT_OVERRIDE = {
  ...TAGS,
  operationId: 'putEntitlement',
  summary: 'Override what a customer has of one feature',
  description:
    'Replaces what all plans together say, from now on and until it is deleted; works without a subscription too. ' +
    'Usage of the period under way stays and is judged by the new limit.',
  body: OverrideInputSchema,
  response: { 200: OverrideSchema, 201: OverrideSchema, ...REFUSALS },
}
const GET_OVERRIDE = {
  ...TAGS,
  operationId: 'getEntitlement',
  summary: "A customer's override of one feature",
  description: 'What the customer has in the end, with or without one, is in its balance.',
  response: { 200: OverrideSchema, ...REFUSALS },
}
const DELETE_OVERRIDE = {
  ...TAGS,
  operationId: 'deleteEntitlement',
  summary: 'Return to what the plans say',
  response: { 204: Type.Null(), ...REFUSALS },
}

function keysOf({ key, feature }: { key: string; feature: string }) {
  return { customer: key as CustomerKey, feature: feature as FeatureKey }
}

/** The answer can be put again. */
function overrideJson(customer: CustomerKey, override: EntitlementOverride): Static<typeof OverrideSchema> {
  const { feature, limit, limitType, reset, anchor, rollover, onUncertain, value, fromMs } = override
  const policy = onUncertain === undefined ? {} : { onUncertain }
  const about = { customer, feature, since: instantJson(fromMs), ...policy }
  if (value !== null) return { ...about, value }
  return {
    ...about,
    limit,
    limitType,
    ...(reset === null ? {} : { reset }),
    ...(anchor === null ? {} : { anchor }),
    ...(rollover === null ? {} : { rollover }),
  }
}
