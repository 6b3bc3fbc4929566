import type { Kysely, Selectable } from 'kysely'
import { CATALOG_BOUNDS } from '../../../domain/catalog/catalog-bounds.ts'
import type { ManualReset, ResetFigures } from '../../../domain/entitlements/manual-reset.ts'
import type { CustomerKey, FeatureKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import { type Outcome, refuse } from '../../../domain/refusal.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { lockAllowances } from '../entitlements/lock-allowances.ts'
import { byCustomer, rowsOfCustomers } from '../entitlements/rows-of-customers.ts'
import { keyAfter, listName, type Page, type PageRequest, pageOf } from '../page.ts'
import { createRecordId } from '../record-id.ts'

export type ResetStore = {
  /** Refuses `unknown_customer`, `unknown_feature`, `feature_not_metered`, `too_many_resets`. */
  record(tenant: TenantKey, reset: Omit<ManualReset, 'id'>): Promise<Outcome<ManualReset>>
  list(tenant: TenantKey, filter: { customer: CustomerKey; feature: FeatureKey }, page: PageRequest): Promise<Page<ManualReset>>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    balance_resets: {
      tenant: string
      id: string
      customer: string
      feature: string
      reset_at: Date
      reset_by: string
      reason: string | null
      before: Json<ResetFigures>
      after: Json<ResetFigures>
    }
  }
}

declare module '../changes.ts' {
  interface Topics {
    /** By customer. */
    resets: CustomerKey
  }
}

/** Resets of one customer and feature: each stays on record and cuts the feature's history. */
const RESETS_MAX = CATALOG_BOUNDS.resets.most

export function sqlResetStore(session: DatabaseSession): ResetStore {
  return {
    record: (tenant, wanted) =>
      session.write(async ({ db, announce }) => {
        const { customer, feature, atMs, by, reason, before, after } = wanted
        const refusal = await lockAllowances(db, tenant, customer, feature, 'metered')
        if (refusal !== null) return refusal
        const { done } = await db
          .selectFrom('balance_resets')
          .select(({ fn }) => fn.countAll<string | number>().as('done'))
          .where('tenant', '=', tenant)
          .where('customer', '=', customer)
          .where('feature', '=', feature)
          .executeTakeFirstOrThrow()
        if (Number(done) >= RESETS_MAX) {
          return refuse('too_many_resets', { customer, feature, resets: Number(done), resetsMax: RESETS_MAX })
        }
        const reset: ManualReset = { ...wanted, id: createRecordId('reset', atMs, session.randomBytes) }
        const columns = { tenant, id: reset.id, customer, feature, reset_at: new Date(atMs), reset_by: by, reason }
        await db
          .insertInto('balance_resets')
          .values({ ...columns, before: JSON.stringify(before), after: JSON.stringify(after) })
          .execute()
        announce({ tenant, topic: 'resets', key: customer })
        return reset
      }),

    list: (tenant, { customer, feature }, page) =>
      session.run(async (db) => {
        const list = listName('resets', { customer, feature })
        const rows = await db
          .selectFrom('balance_resets')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('customer', '=', customer)
          .where('feature', '=', feature)
          .where('id', '>', keyAfter(list, page))
          .orderBy('id')
          .limit(page.limit + 1)
          .execute()
        return pageOf(list, rows, page, ({ id }) => id, resetOf)
      }),
  }
}

export async function resetInstantsOf(db: Kysely<DatabaseTables>, tenant: TenantKey, customers: readonly CustomerKey[]) {
  const rows = await rowsOfCustomers(db, 'balance_resets', {
    tenant,
    customers,
    columns: ['customer', 'feature', 'reset_at'],
    orderBy: ['id'],
  })
  return byCustomer(rows, ({ feature, reset_at }) => ({ feature: feature as FeatureKey, atMs: reset_at.getTime() as InstantMs }))
}

function resetOf(row: Selectable<DatabaseTables['balance_resets']>): ManualReset {
  return {
    id: row.id,
    customer: row.customer as CustomerKey,
    feature: row.feature as FeatureKey,
    atMs: row.reset_at.getTime() as InstantMs,
    by: row.reset_by,
    reason: row.reason,
    before: row.before,
    after: row.after,
  }
}
