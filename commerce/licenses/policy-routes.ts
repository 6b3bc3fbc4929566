import type { LicensePolicyRecord } from '../../adapters/database/license-policies/license-policy-store.ts'
import { orThrow, refuse } from '../../domain/refusal.ts'
import { KeyParamsSchema, PageQuerySchema, REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { LicensePolicyInputSchema, LicensePolicyPageSchema, LicensePolicySchema } from '../../schemas/http/licenses.ts'
import { recordTimesJson } from '../../schemas/http/record-times.ts'
import type { SellingStores } from '../selling-stores.ts'

export function policyRoutes({ policies }: Pick<SellingStores, 'policies'>): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.put('/v1/license-policies/:key', { config: { scope: 'admin' }, schema: PUT_POLICY }, async (request, reply) => {
      const { value, result } = await policies.put(request.principal.tenant, request.params.key, request.body)
      return reply.code(result === 'created' ? 201 : 200).send(policyJson(value))
    })
    app.get('/v1/license-policies/:key', { config: { scope: 'read' }, schema: GET_POLICY }, async (request) => {
      const { key } = request.params
      return policyJson(orThrow((await policies.get(request.principal.tenant, key)) ?? refuse('unknown_policy', { policy: key })))
    })
    app.get('/v1/license-policies', { config: { scope: 'read' }, schema: LIST_POLICIES }, async (request) => {
      const { limit = 100, ...rest } = request.query
      const { data, nextCursor } = await policies.list(request.principal.tenant, { limit, ...rest })
      return { data: data.map(policyJson), nextCursor }
    })
  }
}

function policyJson({ createdMs, updatedMs, ...policy }: LicensePolicyRecord) {
  return { ...policy, ...recordTimesJson({ createdMs, updatedMs }) }
}

const TAGS = { tags: ['licenses'] }
const PUT_POLICY = {
  ...TAGS,
  operationId: 'putLicensePolicy',
  summary: 'Make or change the terms of licenses',
  description: 'Licenses that were issued keep the terms of their issue.',
  params: KeyParamsSchema,
  body: LicensePolicyInputSchema,
  response: { 200: LicensePolicySchema, 201: LicensePolicySchema, ...REFUSALS },
}
const GET_POLICY = {
  ...TAGS,
  operationId: 'getLicensePolicy',
  summary: 'Terms of licenses',
  params: KeyParamsSchema,
  response: { 200: LicensePolicySchema, ...REFUSALS },
}
const LIST_POLICIES = {
  ...TAGS,
  operationId: 'listLicensePolicies',
  summary: 'License policies in the order of their keys',
  querystring: PageQuerySchema,
  response: { 200: LicensePolicyPageSchema, ...REFUSALS },
}
