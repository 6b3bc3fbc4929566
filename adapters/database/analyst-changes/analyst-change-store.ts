import { sql } from 'kysely'
import type { TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession } from '../database-session.ts'

/** What the tables of analysts do not show yet: triggers write it with each change. */
export type AnalystChangeStore = {
  /** The oldest ones. They stay until they are removed, so two may take the same. */
  oldest(max: number): Promise<readonly AnalystChange[]>
  remove(changes: readonly Pick<AnalystChange, 'id'>[]): Promise<void>
  /** Everything there is, as if all of it had just changed. */
  addEverything(): Promise<void>
}

/** Objects of one kind that changed together. Later changes have greater ids. */
export type AnalystChange = {
  readonly id: number
  readonly tenant: TenantKey
  readonly kind: AnalystObject
  readonly objects: readonly string[]
}

export type AnalystObject = 'invoice' | 'ledger' | 'customer' | 'plan' | 'subscription'

declare module '../database-session.ts' {
  interface DatabaseTables {
    analyst_changes: { id: string; tenant: string; kind: AnalystObject; objects: string[] }
  }
}

/** Where the objects of each kind are, and their column. */
const SOURCES = [
  ['customer', 'customers', 'key'],
  ['plan', 'plans', 'key'],
  ['subscription', 'subscriptions', 'id'],
  ['invoice', 'invoices', 'id'],
  ['ledger', 'ledger_transactions', 'source'],
] as const satisfies readonly (readonly [AnalystObject, string, string])[]
const OBJECTS_PER_ROW = 500

export function sqlAnalystChangeStore(session: DatabaseSession): AnalystChangeStore {
  return {
    oldest: (max) =>
      session.run(async (db) => {
        const rows = await db.selectFrom('analyst_changes').selectAll().orderBy('id').limit(max).execute()
        return rows.map(({ id, tenant, ...change }) => ({ id: Number(id), tenant: tenant as TenantKey, ...change }))
      }),
    remove: (changes) =>
      session.run(async (db) => {
        await sql`DELETE FROM analyst_changes WHERE id = ANY(${changes.map(({ id }) => id)}::bigint[])`.execute(db)
      }),
    addEverything: () =>
      session.write(async ({ db }) => {
        for (const [kind, table, column] of SOURCES) {
          await sql`
            INSERT INTO analyst_changes (tenant, kind, objects)
            SELECT tenant, ${kind}::text, array_agg(object) FROM (
              SELECT tenant, ${sql.ref(column)} AS object, (row_number() OVER (PARTITION BY tenant) - 1) / ${OBJECTS_PER_ROW}::integer AS part
              FROM ${sql.table(table)}) AS objects
            GROUP BY tenant, part`.execute(db)
        }
      }),
  }
}
