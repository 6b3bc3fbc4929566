import { sql } from 'kysely'
import type { CustomerKey, TenantKey } from '../../domain/identity.ts'
import type { DatabaseSession } from './database-session.ts'

/** Reads the customers that a table has rows of, each once, in the order of their keys. `after` is '' for the first ones. */
export function customerPlaces(session: DatabaseSession, table: 'billing_cursors' | 'invoices') {
  return (tenant: TenantKey, after: string, max: number): Promise<readonly CustomerKey[]> =>
    session.run(async (db) => {
      const { rows } = await sql<{ customer: CustomerKey }>`
        SELECT DISTINCT customer FROM ${sql.table(table)}
        WHERE tenant = ${tenant} AND customer > ${after} ORDER BY customer LIMIT ${max}`.execute(db)
      return rows.map(({ customer }) => customer)
    })
}
