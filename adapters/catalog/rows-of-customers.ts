import { type AliasedRawBuilder, sql } from 'kysely'
import type { CustomerKey } from '../../domain/identity.ts'

/**
 * Customers to join a table with, so that each is one look-up in its index. Of a condition that names them all the planner,
 * which has no statistics within PGlite, makes a walk through an index.
 */
export function wantedCustomers(customers: readonly CustomerKey[]): AliasedRawBuilder<{ customer: string }, 'wanted'> {
  return sql<{ customer: string }>`unnest(${[...new Set(customers)]}::text[])`.as<'wanted'>(sql`wanted (customer)`)
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
