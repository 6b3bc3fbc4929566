import { type Kysely, sql } from 'kysely'
import type { BillingInputs } from '../../../domain/billing/billing-inputs.ts'
import type { TaxRate } from '../../../domain/billing/tax-rate.ts'
import type { PlanVersion } from '../../../domain/catalog/plan.ts'
import type { CustomerKey, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { bookOf } from '../billing-cursors/billing-cursor-store.ts'
import { billingSettingsOf } from '../billing-settings/billing-settings-store.ts'
import { couponsOf, couponUsesOf } from '../coupons/coupon-store.ts'
import { accountsOf } from '../credits/credit-store.ts'
import { selectCustomers } from '../customers/customer-rows.ts'
import type { DatabaseSession, DatabaseTables } from '../database-session.ts'
import { featuresWithMeters } from '../features/features-with-meters.ts'
import { subscriptionDraftsOf } from '../invoice-drafts/subscription-draft-store.ts'
import { planVersionsNamed, withPhases } from '../subscriptions/subscription-rows.ts'
import { taxRateOf } from '../tax-rates/tax-rate-store.ts'

export type BillingInputsReader = {
  /** Of some customers. `besides`: plan versions that no subscription is on, to be priced by all the same. */
  read(tenant: TenantKey, customers: readonly CustomerKey[], besides?: readonly PlanVersion[]): Promise<BillingInputs>
}

/** All of one moment: a document is not made of a plan of now and a cursor of before. */
export function sqlBillingInputsReader(session: DatabaseSession): BillingInputsReader {
  return {
    read: (tenant, keys, besides = []) =>
      session.snapshot(async (db) => {
        const rows = await db
          .selectFrom(sql<{ key: string }>`unnest(${[...new Set(keys)]}::text[])`.as<'wanted'>(sql`wanted (key)`))
          .innerJoin('subscriptions', (join) =>
            join.onRef('subscriptions.customer', '=', 'wanted.key').on('subscriptions.tenant', '=', tenant),
          )
          .selectAll('subscriptions')
          .execute()
        const subscriptions = rows.length === 0 ? [] : await withPhases(db, tenant, rows)
        const ids = subscriptions.map(({ id }) => id)
        const books = await booksOf(db, tenant, ids)
        const phases = subscriptions.flatMap((each) => each.phases)
        const billed = [...books.values()].flatMap(({ baseFees, parts }) => [...baseFees, ...parts])
        const own = await planVersionsNamed(db, tenant, [...phases, ...billed])
        const planVersions = [...own, ...besides.filter((each) => !own.some((known) => isSameVersion(known, each)))]
        const charged = planVersions.flatMap(({ charges }) => charges.map(({ feature }) => feature))
        const coupons = await couponsOf(
          db,
          tenant,
          subscriptions.flatMap((each) => each.coupons ?? []),
        )
        return {
          subscriptions: new Map(subscriptions.map((subscription) => [subscription.id, subscription])),
          planVersions,
          ...(await featuresWithMeters(db, tenant, charged)),
          settings: await billingSettingsOf(db, tenant),
          customers: new Map((await selectCustomers(db, tenant, keys)).map((customer) => [customer.key, customer])),
          books,
          accounts: await accountsOf(db, tenant, keys),
          coupons,
          couponUses: await couponUsesOf(db, tenant, coupons.size === 0 ? [] : ids),
          taxRates: await taxRatesOf(db, tenant),
          drafts: await subscriptionDraftsOf(db, tenant, ids),
        }
      }),
  }
}

function isSameVersion(a: PlanVersion, b: PlanVersion): boolean {
  return a.plan === b.plan && a.version === b.version
}

async function booksOf(db: Kysely<DatabaseTables>, tenant: TenantKey, ids: readonly SubscriptionId[]): Promise<BillingInputs['books']> {
  const rows = await db
    .selectFrom(sql<{ id: string }>`unnest(${[...ids]}::text[])`.as<'wanted'>(sql`wanted (id)`))
    .innerJoin('billing_cursors', (join) =>
      join.onRef('billing_cursors.subscription', '=', 'wanted.id').on('billing_cursors.tenant', '=', tenant),
    )
    .selectAll('billing_cursors')
    .execute()
  return new Map(rows.map((row) => [row.subscription as SubscriptionId, bookOf(row)]))
}

/** A tenant has few. */
async function taxRatesOf(db: Kysely<DatabaseTables>, tenant: TenantKey): Promise<ReadonlyMap<string, TaxRate>> {
  const rows = await db.selectFrom('tax_rates').selectAll().where('tenant', '=', tenant).execute()
  return new Map(rows.map((row) => [row.key, taxRateOf(row)]))
}
