import { type Kysely, sql } from 'kysely'
import type { CustomerKey, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession, DatabaseTables } from '../database-session.ts'

/**
 * Everything that the database holds of a customer. Tables are found by their column `customer`, and by a foreign key to one that has
 * it, so a new table is exported without a word here.
 */
export type CustomerExportReader = {
  /** In the order of their names. */
  tables(): Promise<readonly ExportTable[]>
  /** Rows of the table as they are stored, in the order of its primary key, from `offset` on. */
  rows(tenant: TenantKey, customer: CustomerKey, table: ExportTable, page: ExportPage): Promise<readonly ExportRow[]>
}

export type ExportTable = {
  readonly name: string
  readonly primaryKey: readonly string[]
  /** Where the customer of a row is to be found, when the row names none: in the row of `of` whose `key` is this row's `column`. */
  readonly owner: { readonly column: string; readonly of: string; readonly key: string } | null
}
export type ExportPage = { readonly offset: number; readonly limit: number }
export type ExportRow = Readonly<Record<string, unknown>>

export function sqlCustomerExportReader(session: DatabaseSession): CustomerExportReader {
  return {
    tables: () => session.run(tablesOfCustomers),
    rows: (tenant, customer, table, { offset, limit }) =>
      session.run(async (db) => {
        const order = sql.join(table.primaryKey.map((column) => sql.ref(column)))
        const { rows } = await sql<{ row: ExportRow }>`
          SELECT to_jsonb(stored) - 'tenant' AS row FROM ${sql.table(table.name)} AS stored
          WHERE tenant = ${tenant} AND ${isOf(table, tenant, customer)}
          ORDER BY ${order} LIMIT ${limit} OFFSET ${offset}`.execute(db)
        return rows.map(({ row }) => row)
      }),
  }
}

function isOf({ name, owner }: ExportTable, tenant: TenantKey, customer: CustomerKey) {
  if (name === 'customers') return sql`key = ${customer}`
  if (owner === null) return sql`customer = ${customer}`
  const { column, of, key } = owner
  return sql`${sql.ref(column)} IN (SELECT ${sql.ref(key)} FROM ${sql.table(of)} WHERE tenant = ${tenant} AND customer = ${customer})`
}

async function tablesOfCustomers(db: Kysely<DatabaseTables>): Promise<readonly ExportTable[]> {
  const { rows } = await sql<ExportTable>`
    WITH own AS (
      SELECT oid, relname FROM pg_class
      WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND (relname = 'customers' OR EXISTS (
        SELECT 1 FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'customer' AND NOT attisdropped))
    ), owned AS (
      SELECT DISTINCT ON (child.oid) child.oid, child.relname, jsonb_build_object(
        'column', here.attname, 'of', own.relname, 'key', there.attname) AS owner
      FROM pg_constraint JOIN own ON own.oid = confrelid JOIN pg_class AS child ON child.oid = conrelid
      CROSS JOIN LATERAL unnest(conkey, confkey) AS pair (here, there)
      JOIN pg_attribute AS here ON here.attrelid = child.oid AND here.attnum = pair.here
      JOIN pg_attribute AS there ON there.attrelid = own.oid AND there.attnum = pair.there
      WHERE contype = 'f' AND own.relname <> 'customers' AND here.attname <> 'tenant' AND child.oid NOT IN (SELECT oid FROM own)
      ORDER BY child.oid, own.relname
    ), found AS (SELECT oid, relname, NULL::jsonb AS owner FROM own UNION ALL SELECT oid, relname, owner FROM owned)
    SELECT relname AS name, owner, (
      SELECT jsonb_agg(attname ORDER BY attnum) FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)
      WHERE indrelid = found.oid AND indisprimary) AS "primaryKey"
    FROM found ORDER BY relname`.execute(db)
  return rows
}
