import { type ColumnType, type Kysely, type Selectable, sql } from 'kysely'
import type { Entitlement, EntitlementAnchor, LimitType, OnUncertain } from '../../../domain/catalog/plan.ts'
import type { EntitlementOverride, OverrideReset, OverrideTerms } from '../../../domain/entitlements/entitlement-override.ts'
import type { CustomerKey, FeatureKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import { isRefusal, type Outcome } from '../../../domain/refusal.ts'
import { refuseArchived } from '../archiver.ts'
import type { DatabaseSession, DatabaseTables } from '../database-session.ts'
import { lockAllowances } from '../entitlements/lock-allowances.ts'
import { byCustomer, rowsOfCustomers } from '../entitlements/rows-of-customers.ts'
import type { PutResult } from '../put-result.ts'
import { hasSameContent } from '../same-content.ts'

export type OverrideStore = {
  /** Replaces what plans say from now on, until deleted. Refuses `unknown_customer`, `unknown_feature`, `archived`. */
  put(tenant: TenantKey, customer: CustomerKey, terms: OverrideTerms): Promise<Outcome<PutResult<EntitlementOverride>>>
  /** The override in force; null when there is none. */
  get(tenant: TenantKey, customer: CustomerKey, feature: FeatureKey): Promise<EntitlementOverride | null>
  /** Ends the override and returns it; null when there was none. */
  delete(tenant: TenantKey, customer: CustomerKey, feature: FeatureKey): Promise<EntitlementOverride | null>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    entitlement_overrides: {
      tenant: string
      customer: string
      feature: string
      from_at: Date
      until_at: Date | null
      began_at: Date
      limit: string | null
      limit_type: LimitType
      reset: OverrideReset | null
      anchor: EntitlementAnchor | null
      rollover: ColumnType<Entitlement['rollover'], string | null, string | null>
      on_uncertain: OnUncertain | null
      value: ColumnType<unknown, string | null, string | null>
      timezone: string | null
      unplanned_reset: OverrideReset | null
    }
  }
}

declare module '../changes.ts' {
  interface Topics {
    /** By customer. */
    overrides: CustomerKey
  }
}

/** Overrides of one customer and feature; beyond this the oldest ended ones are deleted. */
export const OVERRIDES_KEPT = 1_000

export function sqlOverrideStore(session: DatabaseSession): OverrideStore {
  return {
    put: (tenant, customer, terms) =>
      session.write(async ({ db, announce }) => {
        const { feature } = terms
        const refusal = await lockAllowances(db, tenant, customer, feature)
        if (refusal !== null) return refusal
        const before = await selectCurrent(db, tenant, customer, feature)
        if (before !== null && isSame(before, terms)) return { value: before, result: 'same' }
        const begun = before ?? (await beginOverride(db, tenant, customer, feature))
        if (isRefusal(begun)) return begun
        const nowMs = session.clock.now()
        if (before !== null) await end(db, tenant, customer, before, nowMs)
        // Even when the clock was set back no two overrides are in force at once.
        const fromMs = Math.max(nowMs, before?.fromMs ?? nowMs) as InstantMs
        const override: EntitlementOverride = {
          ...{ ...terms, beganMs: before?.beganMs ?? fromMs, fromMs, untilMs: null },
          ...(begun.timezone !== undefined && { timezone: begun.timezone }),
        }
        await db
          .insertInto('entitlement_overrides')
          .values(columnsOf(tenant, customer, override))
          .execute()
        await trimEnded(db, tenant, customer, feature)
        announce({ tenant, topic: 'overrides', key: customer })
        return { value: override, result: before === null ? 'created' : 'changed' }
      }),

    get: (tenant, customer, feature) => session.run((db) => selectCurrent(db, tenant, customer, feature)),

    delete: (tenant, customer, feature) =>
      session.write(async ({ db, announce }) => {
        if ((await lockAllowances(db, tenant, customer, feature)) !== null) return null
        const before = await selectCurrent(db, tenant, customer, feature)
        if (before === null) return null
        await end(db, tenant, customer, before, session.clock.now())
        announce({ tenant, topic: 'overrides', key: customer })
        return before
      }),
  }
}

export async function overridesOf(db: Kysely<DatabaseTables>, tenant: TenantKey, customers: readonly CustomerKey[]) {
  const rows = await rowsOfCustomers(db, 'entitlement_overrides', { tenant, customers, orderBy: ['feature', 'from_at'] })
  return byCustomer(rows, overrideOf)
}

function selectOverrides(db: Kysely<DatabaseTables>, tenant: TenantKey, customer: CustomerKey) {
  return db.selectFrom('entitlement_overrides').selectAll().where('tenant', '=', tenant).where('customer', '=', customer)
}

async function selectCurrent(db: Kysely<DatabaseTables>, tenant: TenantKey, customer: CustomerKey, feature: FeatureKey) {
  const row = await selectOverrides(db, tenant, customer).where('feature', '=', feature).where('until_at', 'is', null).executeTakeFirst()
  return row === undefined ? null : overrideOf(row)
}

/** The zone of an unbroken row of overrides, unless none may begin any more. */
async function beginOverride(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  customer: CustomerKey,
  feature: FeatureKey,
): Promise<Outcome<{ readonly timezone?: string }>> {
  const { archived_at, billing } = await db
    .selectFrom('features')
    .innerJoin('customers', 'customers.tenant', 'features.tenant')
    .select(['features.archived_at', 'customers.billing'])
    .where('features.tenant', '=', tenant)
    .where('features.key', '=', feature)
    .where('customers.key', '=', customer)
    .executeTakeFirstOrThrow()
  return refuseArchived('feature', feature, archived_at) ?? (billing.timezone === undefined ? {} : { timezone: billing.timezone })
}

/** An override that ends at the instant it began leaves no trace. */
async function end(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  customer: CustomerKey,
  { feature, fromMs }: EntitlementOverride,
  nowMs: InstantMs,
): Promise<void> {
  const row = { tenant, customer, feature, from_at: new Date(fromMs) }
  if (nowMs <= fromMs) {
    await db
      .deleteFrom('entitlement_overrides')
      .where(({ eb }) => eb.and(row))
      .execute()
    return
  }
  await db
    .updateTable('entitlement_overrides')
    .set({ until_at: new Date(nowMs) })
    .where(({ eb }) => eb.and(row))
    .execute()
}

async function trimEnded(db: Kysely<DatabaseTables>, tenant: TenantKey, customer: CustomerKey, feature: FeatureKey): Promise<void> {
  await sql`
    DELETE FROM entitlement_overrides
    WHERE tenant = ${tenant} AND customer = ${customer} AND feature = ${feature} AND from_at < (
      SELECT from_at FROM entitlement_overrides
      WHERE tenant = ${tenant} AND customer = ${customer} AND feature = ${feature}
      ORDER BY from_at DESC LIMIT 1 OFFSET ${OVERRIDES_KEPT}
    )`.execute(db)
}

function isSame(before: EntitlementOverride, { onUncertain, ...terms }: OverrideTerms): boolean {
  return hasSameContent(before, { ...before, ...terms, onUncertain })
}

function columnsOf(tenant: TenantKey, customer: CustomerKey, override: EntitlementOverride) {
  const { feature, limit, limitType, reset, anchor, rollover, onUncertain = null, value, beganMs, fromMs, timezone = null } = override
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
    timezone,
    unplanned_reset: null,
  }
}

function overrideOf(row: Selectable<DatabaseTables['entitlement_overrides']>): EntitlementOverride {
  return {
    feature: row.feature as FeatureKey,
    limit: row.limit,
    limitType: row.limit_type,
    reset: row.reset,
    anchor: row.anchor,
    rollover: row.rollover,
    ...(row.on_uncertain === null ? {} : { onUncertain: row.on_uncertain }),
    value: row.value,
    ...(row.timezone === null ? {} : { timezone: row.timezone }),
    ...(row.unplanned_reset === null ? {} : { unplannedReset: row.unplanned_reset }),
    beganMs: row.began_at.getTime() as InstantMs,
    fromMs: row.from_at.getTime() as InstantMs,
    untilMs: row.until_at === null ? null : (row.until_at.getTime() as InstantMs),
  }
}
