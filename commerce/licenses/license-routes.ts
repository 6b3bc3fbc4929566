import type { License } from '../../adapters/database/licenses/license-store.ts'
import type { CustomerKey, InstantMs, ProductKey, TenantKey } from '../../domain/identity.ts'
import { isRefusal, type Outcome, orThrow, refuse, refuseField } from '../../domain/refusal.ts'
import { PageQuerySchema, REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { parseInstant } from '../../schemas/http/instants.ts'
import {
  ActivationPageSchema,
  ActivationParamsSchema,
  ActivationSchema,
  ExtendInputSchema,
  LicenseInputSchema,
  LicensePageSchema,
  LicenseParamsSchema,
  LicenseQuerySchema,
  LicenseSchema,
} from '../../schemas/http/licenses.ts'
import { toldOf } from '../checkout/complete-sale.ts'
import { resumed, suspended } from '../orders/change-order.ts'
import type { SellingKit } from '../selling-kit.ts'
import { issueLicenses, newKey } from './issue-licenses.ts'
import { activationJson, licenseJson } from './license-json.ts'

export type LicenseRoutesDeps = Pick<SellingKit, 'clock' | 'vault' | 'randomBytes' | 'write' | 'stores'>

/** What the seller does with licenses. */
export function licenseRoutes(deps: LicenseRoutesDeps): (app: HttpApp) => Promise<void> {
  const { clock, vault, randomBytes, write, stores } = deps
  const config = { scope: 'manage' } as const

  /** The license after the change, in one transaction with who is told of it. */
  async function change(tenant: TenantKey, id: string, type: Told | null, decide: Decide): Promise<Outcome<License>> {
    const nowMs = clock.now()
    return await write(async (own): Promise<Outcome<License>> => {
      const license = await own.licenses.lock(tenant, id)
      if (license === null) return refuse('unknown_license', { license: id })
      const after = decide(license, nowMs)
      if (isRefusal(after) || after === license) return after
      await own.licenses.save(tenant, after)
      const message = { object: id, data: { licenses: [toldOf(after)] }, createdAtMs: nowMs }
      if (type !== null) await own.outbox.append(tenant, [{ type, ...message }])
      return after
    })
  }

  return async (app) => {
    app.get('/v1/licenses', { config: { scope: 'read' }, schema: LIST_LICENSES }, async (request) => {
      const { limit = 100, cursor, customer, policy } = request.query
      const filter = { customer: customer as CustomerKey | undefined, policy }
      const page = await stores.licenses.list(request.principal.tenant, filter, { limit, ...(cursor !== undefined && { cursor }) })
      return { data: page.data.map((license) => licenseJson(license, clock.now())), nextCursor: page.nextCursor }
    })
    app.post('/v1/licenses', { config: { ...config, isIdempotent: true }, schema: CREATE_LICENSE }, async (request, reply) => {
      const { tenant } = request.principal
      const { customer, policy, product } = request.body
      const nowMs = clock.now()
      const issue = { customer: customer as CustomerKey, product: product as ProductKey, policy, owner: null, deliverable: null }
      const made = await write(async (own): Promise<Outcome<License>> => {
        if ((await own.customers.get(tenant, issue.customer)) === null)
          return refuseField('customer', refuse('unknown_customer', { customer }))
        const [license] = await issueLicenses(own, { vault, randomBytes }, tenant, { ...issue, quantity: 1, issuedMs: nowMs })
        if (license === undefined) return refuseField('policy', refuse('unknown_policy', { policy }))
        const data = { order: null, licenses: [toldOf(license)] }
        await own.outbox.append(tenant, [{ type: 'license.issued', object: license.id, data, createdAtMs: nowMs }])
        return license
      })
      return reply.code(201).send(withKey(orThrow(made), nowMs))
    })
    app.get('/v1/licenses/:id', { config: { scope: 'read' }, schema: GET_LICENSE }, async (request) => {
      const { id } = request.params
      return licenseJson(orThrow((await stores.licenses.get(request.principal.tenant, id)) ?? unknown(id)), clock.now())
    })
    for (const [action, { type, summary, decide }] of Object.entries(ACTIONS)) {
      const schema = { ...ONE, operationId: `${action}License`, summary, response: { 200: LicenseSchema, ...REFUSALS } }
      app.post(`/v1/licenses/:id/${action}`, { config, schema }, async (request) =>
        licenseJson(orThrow(await change(request.principal.tenant, request.params.id, type, decide)), clock.now()),
      )
    }
    app.post('/v1/licenses/:id/extend', { config, schema: EXTEND }, async (request) => {
      const { until } = request.body
      const expiresMs = until === null ? null : orThrow(parseInstant(until, 'until'))
      const extended = await change(request.principal.tenant, request.params.id, null, (license) => ({ ...license, expiresMs }))
      return licenseJson(orThrow(extended), clock.now())
    })
    app.post('/v1/licenses/:id/rotate', { config: { ...config, isIdempotent: true }, schema: ROTATE }, async (request) => {
      const { tenant } = request.principal
      const { id } = request.params
      const nowMs = clock.now()
      const rotated = await write(async (own): Promise<Outcome<License>> => {
        const license = await own.licenses.lock(tenant, id)
        if (license === null) return unknown(id)
        if (license.revokedMs !== null) return refuse('license_revoked', {})
        const fresh = { ...license, ...newKey(vault, randomBytes, license.terms) }
        await own.licenses.save(tenant, fresh)
        await own.licenses.endAll(tenant, id, nowMs)
        return fresh
      })
      return withKey(orThrow(rotated), nowMs)
    })
    app.get('/v1/licenses/:id/activations', { config: { scope: 'read' }, schema: LIST_ACTIVATIONS }, async (request) => {
      const { tenant } = request.principal
      const { id } = request.params
      orThrow((await stores.licenses.get(tenant, id)) ?? unknown(id))
      const { limit = 100, ...rest } = request.query
      const page = await stores.licenses.activations(tenant, id, { limit, ...rest })
      return { data: page.data.map(activationJson), nextCursor: page.nextCursor }
    })
    app.delete('/v1/licenses/:id/activations/:activation', { config, schema: END_ACTIVATION }, async (request) => {
      const { tenant } = request.principal
      const { id, activation } = request.params
      orThrow((await stores.licenses.get(tenant, id)) ?? unknown(id))
      await stores.licenses.end(tenant, id, activation, clock.now())
      return activationJson(
        orThrow((await stores.licenses.activation(tenant, id, activation)) ?? refuse('unknown_activation', { activation })),
      )
    })
  }

  function withKey(license: License, nowMs: InstantMs) {
    return { ...licenseJson(license, nowMs), key: vault.open('license-key', license.keySealed) }
  }
}

type Decide = (license: License, nowMs: InstantMs) => Outcome<License>
type Told = 'license.suspended' | 'license.resumed' | 'license.revoked'

const ACTIONS: Readonly<Record<'suspend' | 'resume' | 'revoke', { type: Told; summary: string; decide: Decide }>> = {
  suspend: {
    type: 'license.suspended',
    summary: 'Suspend a license',
    decide: (license) => (license.revokedMs === null ? suspended(license, 'person') : refuse('license_revoked', {})),
  },
  resume: {
    type: 'license.resumed',
    summary: 'Take back a suspension by hand; other causes go on',
    decide: (license) => (license.suspendedBy.includes('person') ? resumed(license, 'person') : license),
  },
  revoke: {
    type: 'license.revoked',
    summary: 'Revoke a license, for good',
    decide: (license, nowMs) => (license.revokedMs === null ? { ...license, revokedMs: nowMs } : license),
  },
}

function unknown(license: string) {
  return refuse('unknown_license', { license })
}

const TAGS = { tags: ['licenses'] }
const ONE = { ...TAGS, params: LicenseParamsSchema }
const LIST_LICENSES = {
  ...TAGS,
  operationId: 'listLicenses',
  summary: 'Licenses, oldest first',
  querystring: LicenseQuerySchema,
  response: { 200: LicensePageSchema, ...REFUSALS },
}
const CREATE_LICENSE = {
  ...TAGS,
  operationId: 'createLicense',
  summary: 'Issue a license by hand; the answer holds its key',
  body: LicenseInputSchema,
  response: { 201: LicenseSchema, ...REFUSALS },
}
const GET_LICENSE = { ...ONE, operationId: 'getLicense', summary: 'A license', response: { 200: LicenseSchema, ...REFUSALS } }
const EXTEND = {
  ...ONE,
  operationId: 'extendLicense',
  summary: 'Set when a license expires',
  body: ExtendInputSchema,
  response: { 200: LicenseSchema, ...REFUSALS },
}
const ROTATE = {
  ...ONE,
  operationId: 'rotateLicense',
  summary: 'A new key in place of one that leaked; its activations end',
  response: { 200: LicenseSchema, ...REFUSALS },
}
const LIST_ACTIVATIONS = {
  ...ONE,
  operationId: 'listActivations',
  summary: 'Activations of a license, ended ones too, oldest first',
  querystring: PageQuerySchema,
  response: { 200: ActivationPageSchema, ...REFUSALS },
}
const END_ACTIVATION = {
  ...TAGS,
  operationId: 'endActivation',
  summary: 'End an activation',
  params: ActivationParamsSchema,
  response: { 200: ActivationSchema, ...REFUSALS },
}
