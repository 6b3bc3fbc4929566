import { type Kysely, sql } from 'kysely'
import type { ProductStretch } from '../../../domain/catalog/product-stretches.ts'
import type { CustomerKey, InstantMs, ProductKey, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { type Refusal, refuse } from '../../../domain/refusal.ts'
import type { DatabaseTables } from '../database-session.ts'

type Owner = { readonly tenant: TenantKey; readonly customer: CustomerKey; readonly except: SubscriptionId }

/** Refuses `already_subscribed` where another subscription of the customer gives one of these products at an overlapping time. */
export async function refuseSecondToProduct(
  db: Kysely<DatabaseTables>,
  { tenant, customer, except }: Owner,
  stretches: readonly ProductStretch[],
): Promise<Refusal | null> {
  if (stretches.length === 0) return null
  const { rows } = await sql<{ subscription: string; product: string }>`
    SELECT phases.subscription, versions.product
    FROM unnest(${stretches.map(({ product }) => product)}::text[],
                ${stretches.map(({ startMs }) => new Date(startMs))}::timestamptz[],
                ${stretches.map(({ endMs }) => new Date(endMs))}::timestamptz[]) AS wanted (product, start_at, end_at)
    JOIN subscriptions AS others ON others.tenant = ${tenant} AND others.customer = ${customer} AND others.id <> ${except}
      AND (others.end_at IS NULL OR others.end_at > greatest(others.start_at, wanted.start_at))
    JOIN subscription_phases AS phases ON phases.tenant = others.tenant AND phases.subscription = others.id
      AND phases.start_at < wanted.end_at AND (phases.end_at IS NULL OR phases.end_at > greatest(phases.start_at, wanted.start_at))
    JOIN plan_versions AS versions ON versions.tenant = others.tenant AND versions.plan = phases.plan
      AND versions.version = phases.plan_version AND versions.product = wanted.product
    ORDER BY phases.subscription LIMIT 1`.execute(db)
  const [second] = rows
  return second === undefined ? null : refuse('already_subscribed', { customer, ...second })
}

/**
 * Moves a start forward to the beginning of its second, but not into the time of a subscription to the same product that has just
 * ended, so that usage in that second is billed once.
 */
export async function startAfterOthers(
  db: Kysely<DatabaseTables>,
  { tenant, customer, product }: { readonly tenant: TenantKey; readonly customer: CustomerKey; readonly product: ProductKey },
  { secondMs, wantedMs }: { readonly secondMs: InstantMs; readonly wantedMs: InstantMs },
): Promise<InstantMs> {
  if (secondMs === wantedMs) return wantedMs
  const { rows } = await sql<{ end_at: Date | null }>`
    SELECT max(others.end_at) AS end_at FROM subscriptions AS others
    JOIN subscription_phases AS phases ON phases.tenant = others.tenant AND phases.subscription = others.id
    JOIN plan_versions AS versions ON versions.tenant = others.tenant AND versions.plan = phases.plan
      AND versions.version = phases.plan_version AND versions.product = ${product}
    WHERE others.tenant = ${tenant} AND others.customer = ${customer}
      AND others.end_at > ${new Date(secondMs)} AND others.end_at <= ${new Date(wantedMs)}`.execute(db)
  return (rows[0]?.end_at?.getTime() as InstantMs | undefined) ?? secondMs
}
