import { sql } from 'kysely'
import type { InvoiceInputs } from '../../../domain/billing/invoice-inputs.ts'
import type { SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession } from '../database-session.ts'
import { featuresWithMeters } from '../features/features-with-meters.ts'
import { planVersionsOf, withPhases } from '../subscriptions/subscription-rows.ts'

export type InvoiceInputsReader = {
  /** Reads many subscriptions at once, as they share plans. */
  read(tenant: TenantKey, ids: readonly SubscriptionId[]): Promise<InvoiceInputs>
}

/** Reads everything as of one moment, so that no charge names a feature that the same answer lacks. */
export function sqlInvoiceInputsReader(session: DatabaseSession): InvoiceInputsReader {
  return {
    read: (tenant, ids) =>
      session.snapshot(async (db) => {
        // The customers of the subscriptions, then all that these have: another one may bill a feature's usage.
        // A join makes each id one look-up in the primary key. For a condition that names all ids the planner, which has no
        // statistics within PGlite, walked through the index by customer: 110 ms among 100,000 subscriptions, instead of 1.
        const rows = await db
          .selectFrom(sql<{ id: string }>`unnest(${ids}::text[])`.as<'wanted'>(sql`wanted (id)`))
          .innerJoin('subscriptions as asked', (join) => join.onRef('asked.id', '=', 'wanted.id').on('asked.tenant', '=', tenant))
          .innerJoin('subscriptions', (join) =>
            join.onRef('subscriptions.customer', '=', 'asked.customer').on('subscriptions.tenant', '=', tenant),
          )
          .distinctOn('subscriptions.id')
          .selectAll('subscriptions')
          .execute()
        if (rows.length === 0) return { subscriptions: new Map(), planVersions: [], features: [], meters: [] }
        const subscriptions = await withPhases(db, tenant, rows)
        const planVersions = await planVersionsOf(db, tenant, subscriptions)
        const charged = planVersions.flatMap(({ charges }) => charges.map(({ feature }) => feature))
        return {
          subscriptions: new Map(subscriptions.map((subscription) => [subscription.id, subscription])),
          planVersions,
          ...(await featuresWithMeters(db, tenant, charged)),
        }
      }),
  }
}
