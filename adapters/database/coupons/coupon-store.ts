import { type Kysely, type Selectable, sql } from 'kysely'
import { couponUseName } from '../../../domain/billing/billing-inputs.ts'
import type { CouponDefinition } from '../../../domain/billing/coupon-definition.ts'
import type { RecordTimes } from '../../../domain/catalog/record-times.ts'
import type { Subscription } from '../../../domain/catalog/subscription.ts'
import type { InstantMs, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { type Refusal, refuse, refuseField } from '../../../domain/refusal.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { type KeyedRows, keyedRows, recordTimesOf, type TimeColumns } from '../keyed-rows.ts'
import type { PutResult } from '../put-result.ts'
import { hasSameContent } from '../same-content.ts'

export type CouponStore = KeyedRows<string, CouponRecord> & {
  put(tenant: TenantKey, coupon: CouponDefinition): Promise<PutResult<CouponRecord>>
  /** Adds documents on which coupons gave something; below zero takes uses back. */
  use(tenant: TenantKey, uses: readonly CouponUse[]): Promise<void>
  /** Whether somebody new may have them; their rows stay locked until the transaction ends. Refuses `unknown_coupon`, `coupon_ended`. */
  take(tenant: TenantKey, coupons: readonly string[], nowMs: InstantMs): Promise<Refusal | null>
  /** Kept with who has it, an order or a subscription, and used once. */
  spend(tenant: TenantKey, coupon: string, owner: string): Promise<void>
  /** Nobody's any more, so that somebody else may have it. */
  free(tenant: TenantKey, owner: string): Promise<void>
}

export type CouponRecord = CouponDefinition & RecordTimes

export type CouponUse = { readonly coupon: string; readonly subscription: SubscriptionId; readonly uses: number }

declare module '../database-session.ts' {
  interface DatabaseTables {
    coupons: TimeColumns & { tenant: string; key: string; coupon: Json<CouponDefinition> }
    coupon_uses: { tenant: string; coupon: string; subscription: string; uses: number }
  }
}

export function sqlCouponStore(session: DatabaseSession): CouponStore {
  return {
    ...keyedRows(session, 'coupons', couponRecordOf),

    put: (tenant, coupon) =>
      session.write(async ({ db }) => {
        const { key } = coupon
        const stored = await db
          .selectFrom('coupons')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .forUpdate()
          .executeTakeFirst()
        if (stored !== undefined && hasSameContent(stored.coupon, coupon)) return { value: couponRecordOf(stored), result: 'same' }
        const now = new Date(session.clock.now())
        const columns = { coupon: JSON.stringify(coupon), updated_at: now }
        const put = await db
          .insertInto('coupons')
          .values({ tenant, key, ...columns, created_at: now })
          .onConflict((conflict) => conflict.columns(['tenant', 'key']).doUpdateSet(columns))
          .returningAll()
          .executeTakeFirstOrThrow()
        return { value: couponRecordOf(put), result: stored === undefined ? 'created' : 'changed' }
      }),

    take: (tenant, coupons, nowMs) => session.run((db) => takeCoupons(db, tenant, coupons, nowMs)),

    spend: (tenant, coupon, owner) =>
      session.run(async (db) => {
        await db.insertInto('coupon_uses').values({ tenant, coupon, subscription: owner, uses: 1 }).execute()
      }),

    free: (tenant, owner) =>
      session.run(async (db) => {
        await db.deleteFrom('coupon_uses').where('tenant', '=', tenant).where('subscription', '=', owner).execute()
      }),

    use: (tenant, uses) =>
      session.run(async (db) => {
        if (uses.length === 0) return
        // A row is there since the subscription got the coupon. An insert of what is given back would meet the check first.
        await sql`
          UPDATE coupon_uses AS known SET uses = known.uses + rows.uses
          FROM jsonb_to_recordset(${JSON.stringify(uses)}::jsonb) AS rows (coupon text, subscription text, uses integer)
          WHERE known.tenant = ${tenant} AND known.coupon = rows.coupon AND known.subscription = rows.subscription`.execute(db)
      }),
  }
}

/** Coupons by key. */
export async function couponsOf(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  keys: readonly string[],
): Promise<ReadonlyMap<string, CouponDefinition>> {
  if (keys.length === 0) return new Map()
  const rows = await db
    .selectFrom('coupons')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('key', '=', sql<string>`ANY(${[...new Set(keys)]})`)
    .execute()
  return new Map(rows.map(({ key, coupon }) => [key, coupon]))
}

/** By `couponUseName`. */
export async function couponUsesOf(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  subscriptions: readonly SubscriptionId[],
): Promise<ReadonlyMap<string, number>> {
  if (subscriptions.length === 0) return new Map()
  const rows = await db
    .selectFrom('coupon_uses')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('subscription', '=', sql<string>`ANY(${[...subscriptions]})`)
    .execute()
  return new Map(rows.map(({ coupon, subscription, uses }) => [couponUseName(subscription as SubscriptionId, coupon), uses]))
}

function couponRecordOf(row: Selectable<DatabaseTables['coupons']>): CouponRecord {
  return { ...row.coupon, ...recordTimesOf(row) }
}

/** Whether a new subscription may have these coupons. Their rows stay locked, so that no more have one than may. */
export async function takeCoupons(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  keys: readonly string[],
  nowMs: InstantMs,
): Promise<Refusal | null> {
  for (const [index, key] of keys.entries()) {
    const field = `coupons[${index}]`
    const row = await db
      .selectFrom('coupons')
      .select('coupon')
      .where('tenant', '=', tenant)
      .where('key', '=', key)
      .forUpdate()
      .executeTakeFirst()
    if (row === undefined) return refuseField(field, refuse('unknown_coupon', { coupon: key }))
    const { redeemByMs, usesMax } = row.coupon
    const { having } = await db
      .selectFrom('coupon_uses')
      .select(({ fn }) => fn.countAll<string | number>().as('having'))
      .where('tenant', '=', tenant)
      .where('coupon', '=', key)
      .executeTakeFirstOrThrow()
    const isOver = (redeemByMs !== null && nowMs >= redeemByMs) || (usesMax !== null && Number(having) >= usesMax)
    if (isOver) return refuseField(field, refuse('coupon_ended', { coupon: key }))
  }
  return null
}

export async function attachCoupons(db: Kysely<DatabaseTables>, tenant: TenantKey, { id, coupons = [] }: Subscription): Promise<void> {
  if (coupons.length === 0) return
  await db
    .insertInto('coupon_uses')
    .values(coupons.map((coupon) => ({ tenant, coupon, subscription: id, uses: 0 })))
    .execute()
}
