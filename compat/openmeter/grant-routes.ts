import { type Static, Type } from 'typebox'
import { GRANT_PRIORITY_MAX, PLAN_PRIORITY } from '../../domain/allowance/grant.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { billingCellAt } from '../../domain/time/calendar.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { customerKey } from '../customers.ts'
import { instantMsOf } from '../instant-ms.ts'
import { jsonNumber } from '../json-number.ts'
import type { OwnGrant, Tollgate } from '../own-routes.ts'
import { refuseInput } from '../refuse-input.ts'
import { ANY_KEY, type VendorKit } from '../vendor.ts'
import { vendorRecords } from '../vendor-records.ts'
import { bodyOf, given, MetadataSchema } from './bodies.ts'
import { refuseConflict } from './conflict.ts'
import { describedEntitlements, entitlementId, featureKeyOf, knownBalance, PRIORITY_DEFAULT } from './entitlements.ts'
import { cutPage, pageOf } from './lists.ts'

/** Units beside the entitlement's own. */
export async function grantRoutes(app: HttpApp, kit: VendorKit): Promise<void> {
  const { own, clock } = kit
  const described = vendorRecords<Described>(kit.records, 'openmeter', 'grant')
  const entitlements = describedEntitlements(kit)

  const create = async (tollgate: Tollgate, tenant: Tenant, customer: string, feature: string, input: GrantInput) => {
    await knownBalance(tollgate, customer, feature)
    if (input.recurrence !== undefined) return refuseInput('recurrence', 'recurrence is not served: a grant is given once')
    const nowMs = clock.now()
    const effectiveMs = instantMs('effectiveAt', input.effectiveAt)
    const record = await entitlements.get(tenant, entitlementId(customer, feature))
    const priority = input.priority ?? PRIORITY_DEFAULT
    const grant = await tollgate.grant(customer, {
      ...{ feature, amount: input.amount, priority: ownPriority(priority, record?.data.priority ?? PRIORITY_DEFAULT) },
      // Callers send the present, which is past when it arrives.
      ...(effectiveMs <= nowMs ? {} : { effectiveAt: new Date(effectiveMs).toISOString() }),
      expiresAt: input.expiration === undefined ? null : expiryOf(Math.max(effectiveMs, nowMs) as InstantMs, input.expiration),
    })
    const data: Described = { priority, ...given({ expiration: input.expiration, metadata: input.metadata }) }
    return grantJson(grant, (await described.put(tenant, grant.id, data)).data)
  }

  for (const version of ['v1', 'v2']) {
    for (const owner of ['customers', 'subjects']) {
      const path = `/api/${version}/${owner}/:id/entitlements/:feature/grants`
      app.post<Params>(path, { config: ANY_KEY }, async (request, reply) => {
        const tollgate = own(request)
        const customer = await customerKey(tollgate, request.params.id)
        const feature = featureKeyOf(customer, request.params.feature)
        const input = bodyOf(request, GrantInputSchema)
        return reply.code(201).send(await create(tollgate, request.principal.tenant, customer, feature, input))
      })
      app.get<Params>(path, { config: ANY_KEY }, async (request) => {
        const tollgate = own(request)
        const customer = await customerKey(tollgate, request.params.id)
        const { data } = await tollgate.grants(customer, { feature: featureKeyOf(customer, request.params.feature), limit: GRANTS_MAX })
        const records = await described.getAll(
          request.principal.tenant,
          data.map(({ id }) => id),
        )
        const grants = data.map((grant) => grantJson(grant, records.get(grant.id)?.data))
        return version === 'v1' ? grants : cutPage(pageOf(request.query), grants)
      })
    }
  }

  app.delete<{ Params: { readonly grant: string } }>('/api/v1/grants/:grant', { config: ANY_KEY }, async (request, reply) => {
    const { grant: id } = request.params
    const beganMs = clock.now()
    const { voidedAt } = await own(request).voidGrant(id)
    if (voidedAt !== null && instantMsOf(voidedAt) < beganMs) return refuseConflict('void of grant', id)
    return reply.code(204).send()
  })
}

type Tenant = Parameters<ReturnType<typeof describedEntitlements>['get']>[0]
type Params = { Params: { readonly id: string; readonly feature: string } }
const GRANTS_MAX = 1_000

const DURATIONS = { HOUR: null, DAY: 'day', WEEK: 'week', MONTH: 'month', YEAR: 'year' } as const
const ExpirationSchema = Type.Object({
  duration: Type.Enum(Object.keys(DURATIONS) as (keyof typeof DURATIONS)[]),
  count: Type.Integer({ minimum: 1, maximum: 1_000 }),
})
const GrantInputSchema = Type.Object({
  amount: Type.Number(),
  priority: Type.Optional(Type.Integer({ minimum: 1, maximum: 255 })),
  effectiveAt: Type.String({ format: 'date-time' }),
  expiration: Type.Optional(ExpirationSchema),
  recurrence: Type.Optional(Type.Unknown()),
  metadata: MetadataSchema,
})
type GrantInput = Static<typeof GrantInputSchema>
type Described = { readonly priority: number; readonly expiration?: Static<typeof ExpirationSchema>; readonly metadata?: object }

const HOUR_MS = 3_600_000

/** The same time of day so many days, weeks, months or years later; a month's end stays one. */
function expiryOf(fromMs: InstantMs, { duration, count }: Static<typeof ExpirationSchema>): string {
  const unit = DURATIONS[duration]
  if (unit === null) return new Date(fromMs + count * HOUR_MS).toISOString()
  let atMs = fromMs
  for (let passed = 0; passed < count; passed++) atMs = billingCellAt(unit, fromMs, atMs).endMs
  return new Date(atMs).toISOString()
}

function instantMs(field: string, text: string): number {
  const atMs = instantMsOf(text)
  return Number.isNaN(atMs) ? refuseInput(field, `${field} must be an instant, was '${text.slice(0, 40)}'`) : atMs
}

/** The entitlement's own units burn at ours of a plan: what burns before them stays before them, in the same order. */
function ownPriority(priority: number, ofEntitlement: number): number {
  return Math.min(GRANT_PRIORITY_MAX, Math.max(0, PLAN_PRIORITY + priority - ofEntitlement))
}

function grantJson(grant: OwnGrant, described: Described | undefined) {
  const { id, customer, feature, amount, effectiveAt, expiresAt, voidedAt, createdAt } = grant
  return {
    ...{
      id,
      entitlementId: entitlementId(customer, feature),
      amount: jsonNumber(amount),
      priority: described?.priority ?? PRIORITY_DEFAULT,
    },
    ...{ effectiveAt, createdAt, updatedAt: voidedAt ?? createdAt },
    ...given({ expiration: described?.expiration, expiresAt, voidedAt, metadata: described?.metadata }),
  }
}
