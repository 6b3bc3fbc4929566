import { type Kysely, type Selectable, sql } from 'kysely'
import type { Clock } from '../../../base/clock.ts'
import type { EntitlementOverride, OverrideTerms } from '../../../domain/entitlements/entitlement-override.ts'
import type { CustomerKey, FeatureKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { CatalogTables } from '../../../schemas/database/catalog-tables.ts'
import type { Catalog } from '../catalog.ts'
import type { CatalogSession } from '../engine/catalog-session.ts'
import { hasSameContent } from '../engine/same-content.ts'
import { byCustomer, rowsOfCustomers } from '../entitlements/rows-of-customers.ts'
import { lockAllowances } from './lock-allowances.ts'

type Overrides = Pick<Catalog, 'putOverride' | 'override' | 'deleteOverride'>

/** Of one customer and feature; the oldest that are over go. */
export const OVERRIDES_KEPT = 1_000

export function overrideTable(session: CatalogSession, clock: Clock): Overrides {
  return {
    putOverride: (tenant, customer, terms) =>
      session.write(async (trx, announce) => {
        const { feature } = terms
        const refusal = await lockAllowances(trx, tenant, customer, feature)
        if (refusal !== null) return refusal
        const before = await selectCurrent(trx, tenant, customer, feature)
        if (before !== null && isSame(before, terms)) return { value: before, result: 'same' }
        const nowMs = clock.now()
        if (before !== null) await end(trx, tenant, customer, before, nowMs)
        // A clock set back does not lead to two at once.
        const fromMs = Math.max(nowMs, before?.fromMs ?? nowMs) as InstantMs
        const override: EntitlementOverride = { ...terms, beganMs: before?.beganMs ?? fromMs, fromMs, untilMs: null }
        await trx
          .insertInto('entitlement_overrides')
          .values(columnsOf(tenant, customer, override))
          .execute()
        await trimEnded(trx, tenant, customer, feature)
        announce({ tenant, kind: 'entitlement', key: customer })
        return { value: override, result: before === null ? 'created' : 'changed' }
      }),

    override: (tenant, customer, feature) => session.run((db) => selectCurrent(db, tenant, customer, feature)),

    deleteOverride: (tenant, customer, feature) =>
      session.write(async (trx, announce) => {
        if ((await lockAllowances(trx, tenant, customer, feature)) !== null) return null
        const before = await selectCurrent(trx, tenant, customer, feature)
        if (before === null) return null
        await end(trx, tenant, customer, before, clock.now())
        announce({ tenant, kind: 'entitlement', key: customer })
        return before
      }),
  }
}

export async function overridesOf(db: Kysely<CatalogTables>, tenant: TenantKey, customers: readonly CustomerKey[]) {
  const rows = await rowsOfCustomers(db, 'entitlement_overrides', { tenant, customers, orderBy: ['feature', 'from_at'] })
  return byCustomer(rows, overrideOf)
}

function selectOverrides(db: Kysely<CatalogTables>, tenant: TenantKey, customer: CustomerKey) {
  return db.selectFrom('entitlement_overrides').selectAll().where('tenant', '=', tenant).where('customer', '=', customer)
}

async function selectCurrent(db: Kysely<CatalogTables>, tenant: TenantKey, customer: CustomerKey, feature: FeatureKey) {
  const row = await selectOverrides(db, tenant, customer).where('feature', '=', feature).where('until_at', 'is', null).executeTakeFirst()
  return row === undefined ? null : overrideOf(row)
}

/** One that was in force for no time at all leaves no trace. */
async function end(
  trx: Kysely<CatalogTables>,
  tenant: TenantKey,
  customer: CustomerKey,
  { feature, fromMs }: EntitlementOverride,
  nowMs: InstantMs,
): Promise<void> {
  const row = { tenant, customer, feature, from_at: new Date(fromMs) }
  if (nowMs <= fromMs) {
    await trx
      .deleteFrom('entitlement_overrides')
      .where(({ eb }) => eb.and(row))
      .execute()
    return
  }
  await trx
    .updateTable('entitlement_overrides')
    .set({ until_at: new Date(nowMs) })
    .where(({ eb }) => eb.and(row))
    .execute()
}

async function trimEnded(trx: Kysely<CatalogTables>, tenant: TenantKey, customer: CustomerKey, feature: FeatureKey): Promise<void> {
  await sql`
    DELETE FROM entitlement_overrides
    WHERE tenant = ${tenant} AND customer = ${customer} AND feature = ${feature} AND from_at < (
      SELECT from_at FROM entitlement_overrides
      WHERE tenant = ${tenant} AND customer = ${customer} AND feature = ${feature}
      ORDER BY from_at DESC LIMIT 1 OFFSET ${OVERRIDES_KEPT}
    )`.execute(trx)
}

function isSame(before: EntitlementOverride, { onUncertain, ...terms }: OverrideTerms): boolean {
  return hasSameContent(before, { ...before, ...terms, onUncertain })
}

function columnsOf(tenant: TenantKey, customer: CustomerKey, override: EntitlementOverride) {
  const { feature, limit, limitType, reset, anchor, rollover, onUncertain = null, value, beganMs, fromMs } = override
  return {
    tenant,
    customer,
    feature,
    from_at: new Date(fromMs),
    until_at: null,
    began_at: new Date(beganMs),
    limit,
    limit_type: limitType,
    reset,
    anchor,
    rollover: rollover === null ? null : JSON.stringify(rollover),
    on_uncertain: onUncertain,
    value: value === null || value === undefined ? null : JSON.stringify(value),
  }
}

function overrideOf(row: Selectable<CatalogTables['entitlement_overrides']>): EntitlementOverride {
  return {
    feature: row.feature as FeatureKey,
    limit: row.limit,
    limitType: row.limit_type,
    reset: row.reset,
    anchor: row.anchor,
    rollover: row.rollover,
    ...(row.on_uncertain === null ? {} : { onUncertain: row.on_uncertain }),
    value: row.value,
    beganMs: row.began_at.getTime() as InstantMs,
    fromMs: row.from_at.getTime() as InstantMs,
    untilMs: row.until_at === null ? null : (row.until_at.getTime() as InstantMs),
  }
}
