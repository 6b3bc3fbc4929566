import { type Kysely, sql } from 'kysely'
import { couponUseName } from '../../../domain/billing/billing-inputs.ts'
import type { CouponDefinition } from '../../../domain/billing/coupon-definition.ts'
import type { Subscription } from '../../../domain/catalog/subscription.ts'
import type { InstantMs, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { type Refusal, refuse, refuseField } from '../../../domain/refusal.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { keyAfter, type Page, type PageRequest, pageOf } from '../page.ts'
import type { PutResult } from '../put-result.ts'
import { hasSameContent } from '../same-content.ts'

export type CouponStore = {
  put(tenant: TenantKey, coupon: CouponDefinition): Promise<PutResult<CouponDefinition>>
  get(tenant: TenantKey, key: string): Promise<CouponDefinition | null>
  list(tenant: TenantKey, page: PageRequest): Promise<Page<CouponDefinition>>
  /** Adds documents on which coupons gave something; below zero takes uses back. */
  use(tenant: TenantKey, uses: readonly CouponUse[]): Promise<void>
}

export type CouponUse = { readonly coupon: string; readonly subscription: SubscriptionId; readonly uses: number }

declare module '../database-session.ts' {
  interface DatabaseTables {
    coupons: { tenant: string; key: string; coupon: Json<CouponDefinition> }
    coupon_uses: { tenant: string; coupon: string; subscription: string; uses: number }
  }
}

export function sqlCouponStore(session: DatabaseSession): CouponStore {
  return {
    put: (tenant, coupon) =>
      session.write(async ({ db }) => {
        const { key } = coupon
        const stored = await db
          .selectFrom('coupons')
          .select('coupon')
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .forUpdate()
          .executeTakeFirst()
        if (stored !== undefined && hasSameContent(stored.coupon, coupon)) return { value: stored.coupon, result: 'same' }
        const columns = { coupon: JSON.stringify(coupon) }
        await db
          .insertInto('coupons')
          .values({ tenant, key, ...columns })
          .onConflict((conflict) => conflict.columns(['tenant', 'key']).doUpdateSet(columns))
          .execute()
        return { value: coupon, result: stored === undefined ? 'created' : 'changed' }
      }),

    get: (tenant, key) =>
      session.run(async (db) => {
        const row = await db.selectFrom('coupons').select('coupon').where('tenant', '=', tenant).where('key', '=', key).executeTakeFirst()
        return row?.coupon ?? null
      }),

    list: (tenant, page) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('coupons')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('key', '>', keyAfter(page))
          .orderBy('key')
          .limit(page.limit + 1)
          .execute()
        return pageOf(
          rows,
          page,
          ({ key }) => key,
          ({ coupon }) => coupon,
        )
      }),

    use: (tenant, uses) =>
      session.run(async (db) => {
        if (uses.length === 0) return
        await sql`
          INSERT INTO coupon_uses (tenant, coupon, subscription, uses)
          SELECT ${tenant}::text, coupon, subscription, uses
          FROM jsonb_to_recordset(${JSON.stringify(uses)}::jsonb) AS rows (coupon text, subscription text, uses integer)
          ON CONFLICT (tenant, coupon, subscription) DO UPDATE SET uses = coupon_uses.uses + EXCLUDED.uses`.execute(db)
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
