import type { Static } from 'typebox'
import type { CustomerStore } from '../../adapters/database/customers/customer-store.ts'
import type { ResetStore } from '../../adapters/database/resets/reset-store.ts'
import type { Clock } from '../../base/clock.ts'
import { invariant } from '../../base/invariant.ts'
import { formatQuantity } from '../../domain/decimal.ts'
import { allowanceOf } from '../../domain/entitlements/decision.ts'
import type { ManualReset, ResetFigures } from '../../domain/entitlements/manual-reset.ts'
import type { CustomerKey, FeatureKey, TenantKey } from '../../domain/identity.ts'
import { orThrow, RefusalError, refuse } from '../../domain/refusal.ts'
import type { BalanceReader } from '../../entitlements/balance-reader.ts'
import type { EntitlementCache } from '../../entitlements/entitlement-cache.ts'
import { entitlementsOfKnown } from '../../entitlements/entitlements-of-known.ts'
import type { MeteredSpent } from '../../entitlements/metered-spent.ts'
import { CustomerFeatureParamsSchema, ResetInputSchema, ResetSchema } from '../../schemas/http/allowance.ts'
import { PageQuerySchema, REFUSALS } from '../../schemas/http/catalog.ts'
import { type HttpApp, PageSchema } from '../../schemas/http/common.ts'
import { instantJson } from '../../schemas/http/instants.ts'
import { refuseUnstorableText } from '../../schemas/http/storable-text.ts'

export type ResetRoutesDeps = {
  readonly resets: ResetStore
  readonly customers: Pick<CustomerStore, 'get'>
  readonly entitlements: EntitlementCache
  readonly balances: BalanceReader
  readonly clock: Clock
}

/** Usage of a customer's feature counts from nothing again; who did that, and the usage before, stay on record. */
export function resetRoutes(deps: ResetRoutesDeps): (app: HttpApp) => Promise<void> {
  const { resets, balances, clock } = deps
  return async (app) => {
    app.post(
      '/v1/customers/:key/balances/:feature/reset',
      { config: { scope: 'manage', isIdempotent: true }, schema: RESET },
      async (request, reply) => {
        const { tenant, keyId } = request.principal
        const customer = request.params.key as CustomerKey
        const feature = request.params.feature as FeatureKey
        const reason = request.body?.reason ?? null
        refuseUnstorableText({ reason })
        const figures = await figuresOf(deps, tenant, customer, feature)
        const wanted = { customer, feature, atMs: clock.now(), by: keyId, reason, ...figures }
        const reset = orThrow(await resets.record(tenant, wanted))
        await balances.trackCustomer(tenant, customer)
        return reply.code(201).send(resetJson(reset))
      },
    )
    app.get('/v1/customers/:key/balances/:feature/resets', { config: { scope: 'read' }, schema: LIST_RESETS }, async (request) => {
      const { limit = LIMIT_DEFAULT, ...rest } = request.query
      const filter = { customer: request.params.key as CustomerKey, feature: request.params.feature as FeatureKey }
      const { data, nextCursor } = await resets.list(request.principal.tenant, filter, { limit, ...rest })
      return { data: data.map(resetJson), nextCursor }
    })
  }
}

const LIMIT_DEFAULT = 100
const TAGS = { tags: ['balances'], params: CustomerFeatureParamsSchema }

const RESET = {
  ...TAGS,
  operationId: 'resetBalance',
  summary: 'Count usage of a feature from nothing again',
  description:
    "The plan's allowance is full again until the next reset of the schedule. Grants stay burned, what is held stays held, and usage, " +
    'windows and invoices do not change.',
  body: ResetInputSchema,
  response: { 201: ResetSchema, ...REFUSALS },
}
const LIST_RESETS = {
  ...TAGS,
  operationId: 'listBalanceResets',
  summary: 'Manual resets of the balance: who, when, and the figures before and after; oldest first',
  querystring: PageQuerySchema,
  response: { 200: PageSchema(ResetSchema), ...REFUSALS },
}

async function figuresOf(
  deps: ResetRoutesDeps,
  tenant: TenantKey,
  customer: CustomerKey,
  feature: FeatureKey,
): Promise<{ readonly before: ResetFigures; readonly after: ResetFigures }> {
  const entitlement = (await entitlementsOfKnown(deps, tenant, customer)).get(feature)
  if (entitlement === undefined) {
    const isUnknown = (await deps.entitlements.feature(tenant, feature)) === null
    throw new RefusalError(
      isUnknown ? refuse('unknown_feature', { feature }) : refuse('no_entitlement', { customer, feature, wanted: 'reset' }),
    )
  }
  if (entitlement.type !== 'metered') throw new RefusalError(refuse('feature_not_metered', { feature, wanted: 'reset' }))
  const [metered] = await deps.balances.spent(tenant, customer, [entitlement])
  invariant(metered !== undefined, 'a reading holds every entitlement asked for')
  return { before: figuresBefore(metered), after: figuresAfter(metered) }
}

function figuresBefore({ entitlement, spent }: MeteredSpent): ResetFigures {
  const { usedUnits, remaining, overage } = allowanceOf(entitlement, { ...spent, heldUnits: 0n })
  return {
    used: formatQuantity(usedUnits),
    remaining: remaining === null ? null : formatQuantity(remaining),
    overage: formatQuantity(overage),
  }
}

/** The plan's allowance is full; grants and rolled-over units have what was left. */
function figuresAfter({ entitlement, spent }: MeteredSpent): ResetFigures {
  const { limit } = entitlement
  let remaining = limit
  for (const { source, left } of spent.burnDown?.sources ?? []) {
    if (remaining !== null && (source.kind === 'grant' || source.kind === 'rollover')) remaining += left ?? 0n
  }
  return { used: '0', remaining: remaining === null ? null : formatQuantity(remaining), overage: '0' }
}

function resetJson({ id, customer, feature, atMs, by, reason, before, after }: ManualReset): Static<typeof ResetSchema> {
  return { id, customer, feature, at: instantJson(atMs), by, reason, before, after }
}
