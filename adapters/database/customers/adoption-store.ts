import { type Kysely, sql, type Transaction } from 'kysely'
import type { CustomerKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession, DatabaseTables } from '../database-session.ts'

/** Usage that is moved from a customer that appeared by itself to the one that has adopted it. */
export type Adoption = {
  readonly tenant: TenantKey
  readonly customer: CustomerKey
  readonly adopter: CustomerKey
  readonly adoptedAtMs: InstantMs
}

export type AdoptionStore = {
  /** Adoptions whose usage may not have moved in full yet. */
  pending(): Promise<readonly Adoption[]>
  /** The usage has moved, and nothing can come under the old key any more. */
  settle(adoption: Adoption): Promise<void>
  /** All customers of the tenant that were adopted: their events stand in the log under their own keys too. */
  adopted(tenant: TenantKey): Promise<readonly CustomerKey[]>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    adoptions: { tenant: string; customer: string; adopter: string; adopted_at: Date }
  }
}

export function sqlAdoptionStore(session: DatabaseSession): AdoptionStore {
  return {
    pending: () =>
      session.run(async (db) => {
        const rows = await db.selectFrom('adoptions').selectAll().orderBy('adopted_at').limit(PENDING_MAX).execute()
        return rows.map((row) => ({
          tenant: row.tenant as TenantKey,
          customer: row.customer as CustomerKey,
          adopter: row.adopter as CustomerKey,
          adoptedAtMs: row.adopted_at.getTime() as InstantMs,
        }))
      }),
    settle: ({ tenant, customer }) =>
      session.write(async ({ db }) => {
        await db.deleteFrom('adoptions').where('tenant', '=', tenant).where('customer', '=', customer).execute()
      }),
    adopted: (tenant) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('customers')
          .select('key')
          .where('tenant', '=', tenant)
          .where('adopted_by', 'is not', null)
          .execute()
        return rows.map(({ key }) => key as CustomerKey)
      }),
  }
}

/** The others follow when these are settled. */
const PENDING_MAX = 1_000

/** Those of the names that are customers about whom nobody has said or sold anything, so that nothing but their usage moves. */
export async function selectAdoptable(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  names: readonly string[],
  needs?: 'appeared',
): Promise<ReadonlySet<string>> {
  if (names.length === 0) return new Set()
  const unsold = ['customer_subjects', 'subscriptions', 'entitlement_overrides', 'grants', 'balance_resets', 'billing_accounts'].map(
    (table) =>
      sql`NOT EXISTS (SELECT FROM ${sql.table(table)} AS held WHERE held.tenant = customers.tenant AND held.customer = customers.key)`,
  )
  const { rows } = await sql<{ key: string }>`
    SELECT key FROM customers
    WHERE tenant = ${tenant} AND key = ANY(${[...names]}) AND adopted_by IS NULL AND name IS NULL AND email IS NULL
      AND metadata = '{}' AND billing = '{}' AND (has_appeared OR ${needs !== 'appeared'}) AND ${sql.join(unsold, sql` AND `)}`.execute(db)
  return new Set(rows.map(({ key }) => key))
}

/** The names are the adopter's already. */
export async function markAdopted(
  db: Transaction<DatabaseTables>,
  tenant: TenantKey,
  adopter: CustomerKey,
  { keys, nowMs }: { readonly keys: readonly string[]; readonly nowMs: InstantMs },
): Promise<void> {
  if (keys.length === 0) return
  await db.updateTable('customers').set({ adopted_by: adopter }).where('tenant', '=', tenant).where('key', 'in', keys).execute()
  const rows = keys.map((customer) => ({ tenant, customer, adopter, adopted_at: new Date(nowMs) }))
  await db
    .insertInto('adoptions')
    .values(rows)
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** An event was on its way while its name became a customer's: who appears by it is adopted at once. */
export async function adoptNamed(
  db: Transaction<DatabaseTables>,
  appeared: readonly { readonly tenant: TenantKey; readonly key: CustomerKey }[],
  nowMs: InstantMs,
): Promise<readonly { readonly tenant: TenantKey; readonly adopter: CustomerKey }[]> {
  if (appeared.length === 0) return []
  const { rows } = await sql<{ tenant: TenantKey; customer: CustomerKey; adopter: CustomerKey }>`
    SELECT names.tenant, names.name AS customer, names.customer AS adopter
    FROM unnest(${appeared.map(({ tenant }) => tenant)}::text[], ${appeared.map(({ key }) => key)}::text[]) AS appeared (tenant, key)
    JOIN customer_names AS names ON names.tenant = appeared.tenant AND names.name = appeared.key AND names.until_at IS NULL`.execute(db)
  for (const { tenant, customer, adopter } of rows) await markAdopted(db, tenant, adopter, { keys: [customer], nowMs })
  return rows
}
