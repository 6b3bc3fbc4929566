import { type ColumnType, type Kysely, type Selectable, sql } from 'kysely'
import type { Customer, CustomerBilling, CustomerRecord } from '../../../domain/catalog/customer.ts'
import type { CustomerKey, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseTables, Json } from '../database-session.ts'
import { type ArchivableColumns, archivableTimesOf } from '../keyed-rows.ts'

declare module '../database-session.ts' {
  interface DatabaseTables {
    customers: ArchivableColumns & {
      tenant: string
      key: string
      name: string | null
      email: string | null
      metadata: Json<Readonly<Record<string, unknown>>>
      billing: Json<CustomerBilling>
      has_appeared: ColumnType<boolean, boolean | undefined, boolean>
      adopted_by: ColumnType<string | null, undefined, string>
      search_text: string | null
    }
    customer_subjects: { tenant: string; subject: string; customer: string; position: number }
  }
}

export async function selectCustomers(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  keys: readonly string[],
): Promise<readonly Customer[]> {
  const { rows, subjectsOf } = await selectRows(db, tenant, keys)
  return rows.map((row) => customerOf(row, subjectsOf(row.key)))
}

/** In the order of their keys; without adopted ones. */
export async function selectRecords(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  keys: readonly string[],
): Promise<readonly CustomerRecord[]> {
  const { rows, subjectsOf } = await selectRows(db, tenant, keys)
  return rows.map((row) => ({ ...customerOf(row, subjectsOf(row.key)), ...archivableTimesOf(row) }))
}

async function selectRows(db: Kysely<DatabaseTables>, tenant: TenantKey, keys: readonly string[]) {
  const ofTenant = sql<string>`ANY(${[...keys]})`
  const rows = await db
    .selectFrom('customers')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('key', '=', ofTenant)
    .where('adopted_by', 'is', null)
    .orderBy('key')
    .execute()
  const subjects = await db
    .selectFrom('customer_subjects')
    .select(['customer', 'subject'])
    .where('tenant', '=', tenant)
    .where('customer', '=', ofTenant)
    .orderBy('customer')
    .orderBy('position')
    .execute()
  const byCustomer = Map.groupBy(subjects, ({ customer }) => customer)
  return { rows, subjectsOf: (key: string) => (byCustomer.get(key) ?? []).map(({ subject }) => subject) }
}

function customerOf(row: Selectable<DatabaseTables['customers']>, subjects: readonly string[]): Customer {
  return { key: row.key as CustomerKey, name: row.name, email: row.email, subjects, metadata: row.metadata, ...row.billing }
}
