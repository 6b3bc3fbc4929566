import type { Kysely, Selectable } from 'kysely'
import type { ManualReset } from '../../../domain/entitlements/manual-reset.ts'
import type { CustomerKey, FeatureKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import { refuse } from '../../../domain/refusal.ts'
import type { CatalogTables } from '../../../schemas/database/catalog-tables.ts'
import type { Catalog } from '../catalog.ts'
import type { CatalogSession } from '../engine/catalog-session.ts'
import { keyAfter, pageOf } from '../engine/page.ts'
import { createRecordId, type RandomBytes } from '../engine/record-id.ts'
import { byCustomer, rowsOfCustomers } from '../entitlements/rows-of-customers.ts'
import { lockAllowances } from './lock-allowances.ts'

type Resets = Pick<Catalog, 'recordReset' | 'resets'>

/** Of one customer and feature: each stays on record and cuts its history. */
export const RESETS_MAX = 10_000

export function resetTable(session: CatalogSession, randomBytes: RandomBytes): Resets {
  return {
    recordReset: (tenant, wanted) =>
      session.write(async (trx, announce) => {
        const { customer, feature, atMs, by, reason, before, after } = wanted
        const refusal = await lockAllowances(trx, tenant, customer, feature, 'metered')
        if (refusal !== null) return refusal
        const { done } = await trx
          .selectFrom('balance_resets')
          .select(({ fn }) => fn.countAll<string | number>().as('done'))
          .where('tenant', '=', tenant)
          .where('customer', '=', customer)
          .where('feature', '=', feature)
          .executeTakeFirstOrThrow()
        if (Number(done) >= RESETS_MAX) {
          return refuse('too_many_resets', { customer, feature, resets: Number(done), resetsMax: RESETS_MAX })
        }
        const reset: ManualReset = { ...wanted, id: createRecordId('reset', atMs, randomBytes) }
        const columns = { tenant, id: reset.id, customer, feature, reset_at: new Date(atMs), reset_by: by, reason }
        await trx
          .insertInto('balance_resets')
          .values({ ...columns, before: JSON.stringify(before), after: JSON.stringify(after) })
          .execute()
        announce({ tenant, kind: 'entitlement', key: customer })
        return reset
      }),

    resets: (tenant, { customer, feature }, page) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('balance_resets')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('customer', '=', customer)
          .where('feature', '=', feature)
          .where('id', '>', keyAfter(page))
          .orderBy('id')
          .limit(page.limit + 1)
          .execute()
        return pageOf(rows, page, ({ id }) => id, resetOf)
      }),
  }
}

export async function resetInstantsOf(db: Kysely<CatalogTables>, tenant: TenantKey, customers: readonly CustomerKey[]) {
  const rows = await rowsOfCustomers(db, 'balance_resets', {
    tenant,
    customers,
    columns: ['customer', 'feature', 'reset_at'],
    orderBy: ['id'],
  })
  return byCustomer(rows, ({ feature, reset_at }) => ({ feature: feature as FeatureKey, atMs: reset_at.getTime() as InstantMs }))
}

function resetOf(row: Selectable<CatalogTables['balance_resets']>): ManualReset {
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
