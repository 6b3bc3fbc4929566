import { sql } from 'kysely'
import type { InstantMs, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession } from '../database-session.ts'
import { subscriptionData } from '../subscriptions/subscription-message.ts'
import { withPhases } from '../subscriptions/subscription-rows.ts'
import { sqlOutboxStore } from './outbox-store.ts'

/** Messages about what becomes true by the clock alone: told once, by whichever process comes first. */
export type TimedMessageStore = {
  /** Subscriptions whose end has come, up to a bound; how many. */
  tellEnded(max: number): Promise<number>
  /** Documents that were not paid in time, up to a bound; how many. */
  tellOverdue(max: number): Promise<number>
}

export function sqlTimedMessageStore(session: DatabaseSession): TimedMessageStore {
  return {
    tellEnded: (max) =>
      session.write(async (trx) => {
        const nowMs = trx.clock.now()
        const { rows } = await sql<{ tenant: TenantKey; id: SubscriptionId }>`
          UPDATE subscriptions SET ended_told = true
          WHERE (tenant, id) IN (
            SELECT tenant, id FROM subscriptions WHERE end_at <= ${iso(nowMs)}::timestamptz AND NOT ended_told
            ORDER BY end_at LIMIT ${max} FOR UPDATE SKIP LOCKED)
          RETURNING tenant, id`.execute(trx.db)
        for (const [tenant, ended] of Map.groupBy(rows, (row) => row.tenant)) {
          const ofTenant = await trx.db
            .selectFrom('subscriptions')
            .selectAll()
            .where('tenant', '=', tenant)
            .where('id', '=', sql<string>`ANY(${ended.map(({ id }) => id)})`)
            .execute()
          const messages = (await withPhases(trx.db, tenant, ofTenant)).map((subscription) => ({
            ...{ type: 'subscription.ended' as const, object: subscription.id, createdAtMs: nowMs },
            data: subscriptionData(subscription),
          }))
          await sqlOutboxStore(trx).append(tenant, messages)
        }
        return rows.length
      }),

    tellOverdue: (max) =>
      session.write(async ({ db, clock }) => {
        const now = iso(clock.now())
        const { rows } = await sql`
          WITH overdue AS (
            UPDATE invoices SET overdue_told = true
            WHERE (tenant, id) IN (
              SELECT tenant, id FROM invoices
              WHERE status = 'finalised' AND NOT overdue_told AND (record->>'dueAt') COLLATE "C" <= ${now}
              ORDER BY (record->>'dueAt') COLLATE "C" LIMIT ${max} FOR UPDATE SKIP LOCKED)
            RETURNING tenant, id, record)
          INSERT INTO outbox (tenant, type, object, data, created_at)
          SELECT tenant, 'invoice.overdue', id, record, ${now}::timestamptz FROM overdue RETURNING 1`.execute(db)
        return rows.length
      }),
  }
}

function iso(ms: InstantMs): string {
  return new Date(ms).toISOString()
}
