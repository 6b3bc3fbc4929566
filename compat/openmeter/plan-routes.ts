import type { TenantKey } from '../../domain/identity.ts'
import { RefusalError, refuse } from '../../domain/refusal.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { type VendorRecord, vendorRecords } from '../vendor-records.ts'
import { bodyOf } from './bodies.ts'
import { refuseConflict } from './conflict.ts'
import { cutPage, pageOf } from './lists.ts'
import { ownPlanOf, type PlanInput, PlanInputSchema, PRODUCT } from './plan-input.ts'

/** Plans are drafts until they are published; then they are plans of ours. Their id is `key:version`. */
export async function planRoutes(app: HttpApp, { own, records, clock }: VendorKit): Promise<void> {
  const plans = vendorRecords<PlanData>(records, 'openmeter', 'plan')

  async function planOf(tenant: TenantKey, idOrKey: string): Promise<VendorRecord<PlanData>> {
    const found = (await plans.get(tenant, idOrKey)) ?? (await plans.all(tenant)).findLast(({ data }) => data.input.key === idOrKey)
    if (found === undefined || found === null) throw new RefusalError(refuse('unknown_plan', { plan: idOrKey }))
    return found
  }

  app.post('/api/v1/plans', { config: ADMIN }, async (request, reply) => {
    const { tenant } = request.principal
    const input = bodyOf(request, PlanInputSchema)
    ownPlanOf(input)
    const version = 1 + (await plans.all(tenant)).filter(({ data }) => data.input.key === input.key).length
    const made = await plans.create(tenant, `${input.key}:${version}`, {
      input,
      version,
      ownVersion: null,
      publishedAt: null,
      archivedAt: null,
    })
    return made === null ? refuseConflict('plan', `${input.key}:${version}`) : reply.code(201).send(planJson(made))
  })

  app.get('/api/v1/plans', { config: READS }, async (request) =>
    cutPage(pageOf(request.query), (await plans.all(request.principal.tenant)).map(planJson)),
  )

  app.get<Params>('/api/v1/plans/:id', { config: READS }, async (request) =>
    planJson(await planOf(request.principal.tenant, request.params.id)),
  )

  app.put<Params>('/api/v1/plans/:id', { config: ADMIN }, async (request) => {
    const { key: id, data } = await planOf(request.principal.tenant, request.params.id)
    if (data.publishedAt !== null) return refuseConflict('published plan', id)
    const input = bodyOf(request, PlanInputSchema)
    ownPlanOf(input)
    return planJson(await plans.put(request.principal.tenant, id, { ...data, input: { ...input, key: data.input.key } }))
  })

  app.post<Params>('/api/v1/plans/:id/publish', { config: ANY_KEY }, async (request) => {
    const { key: id, data } = await planOf(request.principal.tenant, request.params.id)
    if (data.publishedAt !== null) return refuseConflict('published plan', id)
    const tollgate = own(request)
    await tollgate.putProduct(PRODUCT, { name: 'OpenMeter' })
    const { version: ownVersion } = await tollgate.putPlan(data.input.key, ownPlanOf(data.input))
    const publishedAt = new Date(clock.now()).toISOString()
    return planJson(await plans.put(request.principal.tenant, id, { ...data, ownVersion, publishedAt }))
  })

  app.post<Params>('/api/v1/plans/:id/archive', { config: ANY_KEY }, async (request) => {
    const { key: id, data } = await planOf(request.principal.tenant, request.params.id)
    await own(request).archivePlan(data.input.key)
    const archivedAt = new Date(clock.now()).toISOString()
    return planJson(await plans.put(request.principal.tenant, id, { ...data, archivedAt }))
  })

  app.delete<Params>('/api/v1/plans/:id', { config: ADMIN }, async (request, reply) => {
    const { key: id, data } = await planOf(request.principal.tenant, request.params.id)
    if (data.publishedAt !== null) return refuseConflict('published plan', id)
    await plans.delete(request.principal.tenant, id)
    return reply.code(204).send()
  })
}

/** Drafts are kept here alone, so no route of ours asks for the scope. */
const READS = { scope: 'read' } as const
const ADMIN = { scope: 'admin' } as const

type Params = { Params: { readonly id: string } }
type PlanData = {
  readonly input: PlanInput
  readonly version: number
  /** The version of our plan, once published. */
  readonly ownVersion: number | null
  readonly publishedAt: string | null
  readonly archivedAt: string | null
}

function planJson({ key: id, data, createdMs, updatedMs }: VendorRecord<PlanData>) {
  const { input, version, publishedAt, archivedAt } = data
  return {
    ...{ ...input, id, version, status: archivedAt !== null ? 'archived' : publishedAt === null ? 'draft' : 'active' },
    validationErrors: null,
    ...(publishedAt === null ? {} : { effectiveFrom: publishedAt }),
    ...(archivedAt === null ? {} : { effectiveTo: archivedAt }),
    ...{ createdAt: new Date(createdMs).toISOString(), updatedAt: new Date(updatedMs).toISOString() },
  }
}
