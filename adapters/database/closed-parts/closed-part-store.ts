import { sql } from 'kysely'
import type { BilledPart } from '../../../domain/billing/billed.ts'
import type { CustomerKey, InstantMs, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import type { DueSubscription } from '../billing-cursors/billing-cursor-store.ts'
import type { DatabaseSession, Json } from '../database-session.ts'
import { exactJson, fromExactJson } from '../exact-json.ts'

/** Parts that no document counts by itself any more, as their late window has closed. */
export type ClosedPartStore = {
  /** Keeps parts, in place of what was kept of them before. */
  put(tenant: TenantKey, parts: readonly ClosedPart[]): Promise<void>
  /** Forgets those that a decision of the subscription, or one after it, has closed. */
  remove(tenant: TenantKey, subscription: SubscriptionId, fromDecision: number): Promise<void>
  /** Subscriptions with a part that ends after an instant, in the order of customers' keys; of these customers alone if any are named. */
  having(
    tenant: TenantKey,
    sinceMs: InstantMs,
    of: { readonly customers?: readonly CustomerKey[]; readonly max: number },
  ): Promise<readonly DueSubscription[]>
  /** Parts of these that end after an instant, in the order of time. */
  of(
    tenant: TenantKey,
    subscriptions: readonly SubscriptionId[],
    sinceMs: InstantMs,
  ): Promise<ReadonlyMap<SubscriptionId, readonly BilledPart[]>>
}

/** `decision` is the cursor's version after the decision that closed it. */
export type ClosedPart = { readonly subscription: SubscriptionId; readonly decision: number; readonly part: BilledPart }

declare module '../database-session.ts' {
  interface DatabaseTables {
    closed_parts: { tenant: string; subscription: string; start_at: Date; end_at: Date; decision: number; part: Json<unknown> }
  }
}

export function sqlClosedPartStore(session: DatabaseSession): ClosedPartStore {
  return {
    put: (tenant, parts) =>
      session.run(async (db) => {
        if (parts.length === 0) return
        // One decision may close what an earlier one of the same write has closed: the last one stands.
        const last = new Map(parts.map((each) => [`${each.subscription} ${each.part.period.startMs}`, each]))
        const rows = [...last.values()].map(({ subscription, decision, part }) => ({
          ...{ subscription, decision, part: exactJson(part) },
          start_at: new Date(part.period.startMs).toISOString(),
          end_at: new Date(part.period.endMs).toISOString(),
        }))
        await sql`
          INSERT INTO closed_parts (tenant, subscription, start_at, end_at, decision, part)
          SELECT ${tenant}::text, subscription, start_at, end_at, decision, part::jsonb
          FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS rows (
            subscription text, start_at timestamptz, end_at timestamptz, decision integer, part text)
          ON CONFLICT (tenant, subscription, start_at)
          DO UPDATE SET end_at = EXCLUDED.end_at, decision = EXCLUDED.decision, part = EXCLUDED.part`.execute(db)
      }),

    remove: (tenant, subscription, fromDecision) =>
      session.run(async (db) => {
        await db
          .deleteFrom('closed_parts')
          .where('tenant', '=', tenant)
          .where('subscription', '=', subscription)
          .where('decision', '>=', fromDecision)
          .execute()
      }),

    having: (tenant, sinceMs, { customers, max }) =>
      session.run(async (db) => {
        let query = db
          .selectFrom('closed_parts')
          .innerJoin('subscriptions', (join) =>
            join.onRef('subscriptions.tenant', '=', 'closed_parts.tenant').onRef('subscriptions.id', '=', 'closed_parts.subscription'),
          )
          .select(['subscriptions.customer', 'subscriptions.id as subscription'])
          .distinct()
          .where('closed_parts.tenant', '=', tenant)
          .where('closed_parts.end_at', '>', new Date(sinceMs))
        if (customers !== undefined) query = query.where('subscriptions.customer', '=', sql<string>`ANY(${[...customers]})`)
        const rows = await query.orderBy('subscriptions.customer').orderBy('subscriptions.id').limit(max).execute()
        return rows as { customer: CustomerKey; subscription: SubscriptionId }[]
      }),

    of: (tenant, subscriptions, sinceMs) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('closed_parts')
          .select(['subscription', 'part'])
          .where('tenant', '=', tenant)
          .where('subscription', '=', sql<string>`ANY(${[...subscriptions]})`)
          .where('end_at', '>', new Date(sinceMs))
          .orderBy('start_at')
          .execute()
        const bySubscription = Map.groupBy(rows, ({ subscription }) => subscription as SubscriptionId)
        return new Map([...bySubscription].map(([id, own]) => [id, own.map(({ part }) => fromExactJson<BilledPart>(part))]))
      }),
  }
}
