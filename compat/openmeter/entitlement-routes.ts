import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { customerKey } from '../customers.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { bodyOf } from './bodies.ts'
import { refuseConflict } from './conflict.ts'
import {
  balanceOf,
  describedEntitlements,
  describedOf,
  type EntitlementInput,
  EntitlementInputSchema,
  entitlementId,
  entitlementJson,
  featureKeyOf,
  knownBalance,
  termsOf,
} from './entitlements.ts'
import { cutPage, pageOf } from './lists.ts'

/** What a customer is entitled to: overrides of ours, and what its plans give. */
export async function entitlementRoutes(app: HttpApp, kit: VendorKit): Promise<void> {
  const { own } = kit
  const described = describedEntitlements(kit)

  app.post<Params>(PATH, { config: ANY_KEY }, async (request, reply) => {
    const tollgate = own(request)
    const customer = await customerKey(tollgate, request.params.id)
    const input = bodyOf(request, EntitlementInputSchema)
    const feature = namedFeature(input)
    await tollgate.feature(feature)
    if ((await balanceOf(tollgate, customer, feature)) !== null) {
      return refuseConflict('entitlement', entitlementId(customer, feature), {
        extensions: { conflictingEntityId: entitlementId(customer, feature) },
      })
    }
    await tollgate.putOverride(customer, feature, termsOf(input))
    await described.put(request.principal.tenant, entitlementId(customer, feature), describedOf(input))
    return reply.code(201).send(await entitlementJson(kit, request, customer, await knownBalance(tollgate, customer, feature)))
  })

  app.get<Params>(PATH, { config: ANY_KEY }, async (request) => {
    const customer = await customerKey(own(request), request.params.id)
    const { data } = await own(request).balances(customer)
    const page = cutPage(pageOf(request.query), data)
    return { ...page, items: await Promise.all(page.items.map((balance) => entitlementJson(kit, request, customer, balance))) }
  })

  app.get<FeatureParams>(`${PATH}/:feature`, { config: ANY_KEY }, async (request) => {
    const customer = await customerKey(own(request), request.params.id)
    const feature = featureKeyOf(customer, request.params.feature)
    return await entitlementJson(kit, request, customer, await knownBalance(own(request), customer, feature))
  })

  app.delete<FeatureParams>(`${PATH}/:feature`, { config: ANY_KEY }, async (request, reply) => {
    const customer = await customerKey(own(request), request.params.id)
    const feature = featureKeyOf(customer, request.params.feature)
    await own(request).deleteOverride(customer, feature)
    await described.delete(request.principal.tenant, entitlementId(customer, feature))
    return reply.code(204).send()
  })

  app.put<FeatureParams>(`${PATH}/:feature/override`, { config: ANY_KEY }, async (request, reply) => {
    const tollgate = own(request)
    const customer = await customerKey(tollgate, request.params.id)
    const feature = featureKeyOf(customer, request.params.feature)
    const input = bodyOf(request, EntitlementInputSchema)
    if ((await balanceOf(tollgate, customer, feature)) === null) {
      throw new RefusalError(refuse('unknown_entitlement', { customer, feature }))
    }
    await tollgate.putOverride(customer, feature, termsOf(input))
    await described.put(request.principal.tenant, entitlementId(customer, feature), describedOf(input))
    return reply.code(201).send(await entitlementJson(kit, request, customer, await knownBalance(tollgate, customer, feature)))
  })

  app.post<FeatureParams>(`${PATH}/:feature/reset`, { config: ANY_KEY }, async (request, reply) => {
    const customer = await customerKey(own(request), request.params.id)
    await own(request).resetBalance(customer, featureKeyOf(customer, request.params.feature))
    return reply.code(204).send()
  })
}

const PATH = '/api/v2/customers/:id/entitlements'
type Params = { Params: { readonly id: string } }
type FeatureParams = { Params: { readonly id: string; readonly feature: string } }

function namedFeature({ featureKey, featureId }: EntitlementInput): string {
  return featureKey ?? featureId ?? refuseInput('featureKey', 'featureKey or featureId must be given', 'missing')
}
