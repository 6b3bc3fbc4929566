import type { Static } from 'typebox'
import type { CustomerStore } from '../../adapters/database/customers/customer-store.ts'
import type { FeatureReader } from '../../adapters/database/features/feature-store.ts'
import type { GrantStore } from '../../adapters/database/grants/grant-store.ts'
import type { MeterReader } from '../../adapters/database/meters/meter-store.ts'
import type { Clock } from '../../base/clock.ts'
import { GRANT_PRIORITY_DEFAULT, type Grant } from '../../domain/allowance/grant.ts'
import { formatQuantity, parseQuantity } from '../../domain/decimal.ts'
import type { CustomerKey, FeatureKey, GrantId, InstantMs, TenantKey } from '../../domain/identity.ts'
import { isAdditive } from '../../domain/metering/meter.ts'
import { isRefusal, type Outcome, orThrow, type Refusal, refuse } from '../../domain/refusal.ts'
import { MINUTE_MS } from '../../domain/time/durations.ts'
import { GrantInputSchema, GrantParamsSchema, GrantQuerySchema, GrantSchema } from '../../schemas/http/allowance.ts'
import { CustomerParamsSchema, REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'
import { instantJson, parseInstant } from '../../schemas/http/instants.ts'
import { createErrorList, type ErrorList } from '../error-list.ts'
import { refuseWrongFields } from '../wrong-fields.ts'

export type GrantRoutesDeps = {
  readonly grants: GrantStore
  readonly customers: Pick<CustomerStore, 'get'>
  readonly features: FeatureReader
  readonly meters: MeterReader
  readonly clock: Clock
  /** Awaited after each change, so that the next decision follows it already. */
  readonly onEntitlementsChanged: (tenant: TenantKey, customer: CustomerKey) => Promise<void>
}

/** Extra units for one customer's feature. */
export function grantRoutes(deps: GrantRoutesDeps): (app: HttpApp) => Promise<void> {
  const { grants, customers, clock, onEntitlementsChanged } = deps
  return async (app) => {
    app.post(
      '/v1/customers/:key/grants',
      { config: { scope: 'manage', isIdempotent: true }, schema: CREATE_GRANT },
      async (request, reply) => {
        const { tenant } = request.principal
        const customer = request.params.key as CustomerKey
        const wanted = orThrow(readGrant(customer, request.body, clock.now()))
        orThrow((await refuseNotAdditive(deps, tenant, wanted.feature)) ?? wanted)
        const grant = orThrow(await grants.create(tenant, wanted))
        await onEntitlementsChanged(tenant, customer)
        return reply.code(201).send(grantJson(grant))
      },
    )
    app.get('/v1/customers/:key/grants', { config: { scope: 'read' }, schema: LIST_GRANTS }, async (request) => {
      const { tenant } = request.principal
      const customer = request.params.key as CustomerKey
      const { limit = LIMIT_DEFAULT, feature, ...rest } = request.query
      const filter = feature === undefined ? { customer } : { customer, feature: feature as FeatureKey }
      const { data, nextCursor } = await grants.list(tenant, filter, { limit, ...rest })
      if (data.length === 0) orThrow((await customers.get(tenant, customer)) ?? refuse('unknown_customer', { customer }))
      return { data: data.map(grantJson), nextCursor }
    })
    app.post('/v1/grants/:id/void', { config: { scope: 'manage' }, schema: VOID_GRANT }, async (request) => {
      const { tenant } = request.principal
      const { id } = request.params
      const grant = orThrow((await grants.void(tenant, id as GrantId)) ?? refuse('unknown_grant', { grant: id }))
      await onEntitlementsChanged(tenant, grant.customer)
      return grantJson(grant)
    })
  }
}

const LIMIT_DEFAULT = 100
const TAGS = { tags: ['grants'] }

const CREATE_GRANT = {
  ...TAGS,
  operationId: 'createGrant',
  summary: 'Give a customer extra units of a metered feature',
  description: 'They count beside an entitlement to the feature, for usage from `effectiveAt` until `expiresAt`, and burn once.',
  params: CustomerParamsSchema,
  body: GrantInputSchema,
  response: { 201: GrantSchema, ...REFUSALS },
}
const LIST_GRANTS = {
  ...TAGS,
  operationId: 'listGrants',
  summary: "A customer's grants, oldest first; what is left of each is in its balance",
  params: CustomerParamsSchema,
  querystring: GrantQuerySchema,
  response: { 200: PageSchema(GrantSchema), ...REFUSALS },
}
const VOID_GRANT = {
  ...TAGS,
  operationId: 'voidGrant',
  summary: 'Take back what is left of a grant',
  description: 'Usage that it covered so far stays covered. May be repeated.',
  params: GrantParamsSchema,
  response: { 200: GrantSchema, ...REFUSALS },
}

/** The sender's now is past when it arrives, and its clock may be behind: a grant that is at most this late takes effect on arrival. */
const ON_ARRIVAL_MS_MAX = MINUTE_MS

type WantedGrant = Omit<Grant, 'id' | 'voidedAtMs'>

function readGrant(customer: CustomerKey, input: Static<typeof GrantInputSchema>, nowMs: InstantMs): Outcome<WantedGrant> {
  const errors = createErrorList()
  const amount = parseQuantity(input.amount)
  if (amount === null || amount <= 0n) {
    const rule = 'must be an exact decimal above 0 and below 10^20 with at most 9 fractional digits'
    errors.add('amount', 'invalid_quantity', `amount ${rule}, was ${JSON.stringify(input.amount)}`)
  }
  const wantedMs = readInstant(input.effectiveAt, 'effectiveAt', errors) ?? nowMs
  const effectiveAtMs = Math.max(wantedMs, nowMs) as InstantMs
  if (wantedMs < nowMs - ON_ARRIVAL_MS_MAX) {
    errors.add('effectiveAt', 'effective_in_past', `effectiveAt must not be before now, ${instantJson(nowMs)}, was '${input.effectiveAt}'`)
  }
  const expiresAtMs = readInstant(input.expiresAt ?? undefined, 'expiresAt', errors)
  if (expiresAtMs !== null && expiresAtMs <= effectiveAtMs) {
    errors.add('expiresAt', 'expires_too_early', `expiresAt must be after ${instantJson(effectiveAtMs)}, was '${input.expiresAt}'`)
  }
  const { priority = GRANT_PRIORITY_DEFAULT } = input
  const grant = { customer, feature: input.feature as FeatureKey, amount: amount ?? 0n, priority, effectiveAtMs, expiresAtMs }
  return refuseWrongFields(errors.fields, errors.code()) ?? { ...grant, createdAtMs: nowMs }
}

function readInstant(text: string | undefined, field: string, errors: ErrorList): InstantMs | null {
  if (text === undefined) return null
  const instant = parseInstant(text, field)
  if (!isRefusal(instant)) return instant
  errors.addAll(instant.code, instant.errors ?? [])
  return null
}

/** Everything else about the feature is refused by the catalog itself, where no change can come in between. */
async function refuseNotAdditive(
  { features, meters }: Pick<GrantRoutesDeps, 'features' | 'meters'>,
  tenant: TenantKey,
  key: FeatureKey,
): Promise<Refusal | null> {
  const feature = await features.get(tenant, key)
  const meter = feature === null || feature.meter === null ? null : await meters.get(tenant, feature.meter)
  if (meter === null || isAdditive(meter.aggregation)) return null
  return refuse('feature_not_additive', { feature: key, aggregation: meter.aggregation, wanted: 'grant' })
}

function grantJson(grant: Grant): Static<typeof GrantSchema> {
  const { id, customer, feature, amount, priority, effectiveAtMs, expiresAtMs, voidedAtMs, createdAtMs } = grant
  return {
    id,
    customer,
    feature,
    amount: formatQuantity(amount),
    priority,
    effectiveAt: instantJson(effectiveAtMs),
    expiresAt: expiresAtMs === null ? null : instantJson(expiresAtMs),
    voidedAt: voidedAtMs === null ? null : instantJson(voidedAtMs),
    createdAt: instantJson(createdAtMs),
  }
}
