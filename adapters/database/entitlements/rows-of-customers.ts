import { type Kysely, type SelectType, sql } from 'kysely'
import type { CustomerKey, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseTables } from '../database-session.ts'

type RowOf<Table extends TableOfCustomers, Column extends keyof DatabaseTables[Table]> = {
  readonly [Key in Column]: SelectType<DatabaseTables[Table][Key]>
}

type TableOfCustomers = {
  [Table in keyof DatabaseTables]: DatabaseTables[Table] extends { tenant: string; customer: string } ? Table : never
}[keyof DatabaseTables]

/**
 * A join, so that each customer is one look-up in the table's index. For a condition that names all customers the planner, which
 * has no statistics within PGlite, walks through an index instead.
 */
export async function rowsOfCustomers<
  Table extends TableOfCustomers,
  Column extends string & keyof DatabaseTables[Table] = string & keyof DatabaseTables[Table],
>(
  db: Kysely<DatabaseTables>,
  table: Table,
  options: {
    readonly tenant: TenantKey
    readonly customers: readonly CustomerKey[]
    /** All columns when undefined. */
    readonly columns?: readonly Column[]
    readonly orderBy: readonly (string & keyof DatabaseTables[Table])[]
  },
): Promise<readonly RowOf<Table, Column>[]> {
  const { tenant, customers, columns, orderBy } = options
  const named = (names: readonly string[]) => sql.join(names.map((name) => sql.ref(`${table}.${name}`)))
  const { rows } = await sql<RowOf<Table, Column>>`
    SELECT ${columns === undefined ? sql`${sql.table(table)}.*` : named(columns)} FROM unnest(${[...new Set(customers)]}::text[]) AS wanted (customer)
    JOIN ${sql.table(table)} ON ${sql.ref(`${table}.customer`)} = wanted.customer AND ${sql.ref(`${table}.tenant`)} = ${tenant}
    ORDER BY ${named(orderBy)}`.execute(db)
  return rows
}

export function byCustomer<Row extends { readonly customer: string }, Value>(
  rows: readonly Row[],
  read: (row: Row) => Value,
): ReadonlyMap<CustomerKey, readonly Value[]> {
  const grouped = new Map<CustomerKey, Value[]>()
  for (const row of rows) {
    const customer = row.customer as CustomerKey
    const values = grouped.get(customer)
    if (values === undefined) grouped.set(customer, [read(row)])
    else values.push(read(row))
  }
  return grouped
}
