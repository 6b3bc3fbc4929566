import { type Kysely, sql } from 'kysely'
import type { SubscriptionDraft } from '../../../domain/billing/invoice-draft.ts'
import type { InstantMs, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { reconsiderCursor } from '../billing-cursors/billing-cursor-store.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { exactJson, fromExactJson } from '../exact-json.ts'

/** What people added to drafts of subscriptions. */
export type SubscriptionDraftStore = {
  /** Replaces it; a run that has read the subscription before decides nothing from that. */
  put(tenant: TenantKey, subscription: SubscriptionId, draft: SubscriptionDraft): Promise<void>
  of(tenant: TenantKey, subscription: SubscriptionId): Promise<readonly SubscriptionDraft[]>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    subscription_drafts: { tenant: string; subscription: string; closes_at: Date; kind: string; paused: boolean; lines: Json<unknown> }
  }
}

export function sqlSubscriptionDraftStore(session: DatabaseSession): SubscriptionDraftStore {
  return {
    put: (tenant, subscription, { closesAtMs, kind, isPaused, lines }) =>
      session.write(async ({ db }) => {
        const columns = { paused: isPaused, lines: exactJson(lines) }
        await db
          .insertInto('subscription_drafts')
          .values({ tenant, subscription, closes_at: new Date(closesAtMs), kind, ...columns })
          .onConflict((conflict) => conflict.columns(['tenant', 'subscription', 'closes_at', 'kind']).doUpdateSet(columns))
          .execute()
        await reconsiderCursor(db, tenant, subscription, session.clock.now())
      }),
    of: (tenant, subscription) =>
      session.run(async (db) => (await subscriptionDraftsOf(db, tenant, [subscription])).get(subscription) ?? []),
  }
}

export async function subscriptionDraftsOf(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  subscriptions: readonly SubscriptionId[],
): Promise<ReadonlyMap<SubscriptionId, readonly SubscriptionDraft[]>> {
  if (subscriptions.length === 0) return new Map()
  const rows = await db
    .selectFrom('subscription_drafts')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('subscription', '=', sql<string>`ANY(${[...subscriptions]})`)
    .execute()
  const drafts = rows.map(({ subscription, closes_at, kind, paused, lines }) => ({
    subscription: subscription as SubscriptionId,
    draft: {
      ...{ closesAtMs: closes_at.getTime() as InstantMs, kind, isPaused: paused },
      lines: fromExactJson<SubscriptionDraft['lines']>(lines),
    } as SubscriptionDraft,
  }))
  return new Map(
    [...Map.groupBy(drafts, ({ subscription }) => subscription)].map(([id, own]) => [id, own.map(({ draft }) => draft)] as const),
  )
}
