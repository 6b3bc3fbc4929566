import { type ColumnType, type Kysely, type Selectable, sql } from 'kysely'
import type { PlanVersion } from '../../../domain/catalog/plan.ts'
import type { PriceOverrides } from '../../../domain/catalog/price.ts'
import type { Subscription, SubscriptionPhase } from '../../../domain/catalog/subscription.ts'
import type { CustomerKey, InstantMs, PlanKey, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseTables, Json } from '../database-session.ts'
import { planVersionOf } from '../plans/plan-store.ts'

declare module '../database-session.ts' {
  interface DatabaseTables {
    subscriptions: {
      tenant: string
      id: string
      customer: string
      start_at: Date
      anchor_at: Date
      end_at: Date | null
      billing: Json<SubscriptionBilling>
      allows_several: ColumnType<boolean, boolean | undefined, never>
    }
    subscription_phases: {
      tenant: string
      subscription: string
      position: number
      plan: string
      plan_version: number
      start_at: Date
      end_at: Date | null
      anchor_at: Date | null
      invoice_now: boolean
      price_overrides: Json<PriceOverrides> | null
    }
  }
}

type SubscriptionBilling = Pick<Subscription, 'timezone' | 'commitment' | 'coupons' | 'endInvoiceNow'>

type SubscriptionRow = Selectable<DatabaseTables['subscriptions']>

export async function withPhases(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  rows: readonly SubscriptionRow[],
): Promise<readonly Subscription[]> {
  const phases = await db
    .selectFrom('subscription_phases')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('subscription', '=', sql<string>`ANY(${rows.map(({ id }) => id)})`)
    .orderBy('subscription')
    .orderBy('position')
    .execute()
  const bySubscription = Map.groupBy(phases, ({ subscription }) => subscription)
  return rows.map((row) => ({
    id: row.id as SubscriptionId,
    customer: row.customer as CustomerKey,
    startMs: instantOf(row.start_at),
    anchorMs: instantOf(row.anchor_at),
    endMs: row.end_at === null ? null : instantOf(row.end_at),
    ...row.billing,
    phases: (bySubscription.get(row.id) ?? []).map((phase) => ({
      plan: phase.plan as PlanKey,
      planVersion: phase.plan_version,
      startMs: instantOf(phase.start_at),
      endMs: phase.end_at === null ? null : instantOf(phase.end_at),
      ...(phase.anchor_at !== null && { anchorMs: instantOf(phase.anchor_at) }),
      ...(phase.invoice_now && { invoiceNow: true }),
      ...(phase.price_overrides !== null && { priceOverrides: phase.price_overrides }),
    })),
  }))
}

export async function selectSubscription(db: Kysely<DatabaseTables>, tenant: TenantKey, id: SubscriptionId): Promise<Subscription | null> {
  const row = await db.selectFrom('subscriptions').selectAll().where('tenant', '=', tenant).where('id', '=', id).executeTakeFirst()
  return row === undefined ? null : ((await withPhases(db, tenant, [row]))[0] ?? null)
}

/** Every version that a phase of these names. */
export async function planVersionsOf(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  subscriptions: readonly Subscription[],
): Promise<readonly PlanVersion[]> {
  return await planVersionsNamed(
    db,
    tenant,
    subscriptions.flatMap(({ phases }) => phases),
  )
}

export async function planVersionsNamed(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  named: readonly Pick<SubscriptionPhase, 'plan' | 'planVersion'>[],
): Promise<readonly PlanVersion[]> {
  // Many subscriptions share few versions.
  const phases = [...new Map(named.map((each) => [`${each.planVersion} ${each.plan}`, each])).values()]
  const rows = await db
    .selectFrom('plan_versions')
    .selectAll('plan_versions')
    .where('tenant', '=', tenant)
    .where(
      sql<boolean>`(plan, version) IN (SELECT * FROM unnest(${phases.map(({ plan }) => plan)}::text[], ${phases.map(({ planVersion }) => planVersion)}::integer[]))`,
    )
    .execute()
  return rows.map(planVersionOf)
}

export async function insertPhases(db: Kysely<DatabaseTables>, tenant: TenantKey, subscriptions: readonly Subscription[]): Promise<void> {
  const phases = subscriptions.flatMap(({ id, phases }) => phases.map((phase, position) => ({ id, phase, position })))
  const rows = phases.map(({ id, phase, position }) => ({
    tenant,
    subscription: id,
    position,
    plan: phase.plan,
    plan_version: phase.planVersion,
    start_at: new Date(phase.startMs),
    end_at: phase.endMs === null ? null : new Date(phase.endMs),
    anchor_at: phase.anchorMs === undefined ? null : new Date(phase.anchorMs),
    invoice_now: phase.invoiceNow ?? false,
    price_overrides: phase.priceOverrides === undefined ? null : JSON.stringify(phase.priceOverrides),
  }))
  await db.insertInto('subscription_phases').values(rows).execute()
}

export function billingOf({ timezone, commitment, coupons, endInvoiceNow }: Subscription): string {
  return JSON.stringify({ timezone, commitment, coupons, endInvoiceNow })
}

function instantOf(date: Date): InstantMs {
  return date.getTime() as InstantMs
}
