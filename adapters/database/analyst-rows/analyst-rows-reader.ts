import { type Kysely, sql } from 'kysely'
import type { Money } from '../../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import { documentColumns, documentOf, type ExportedDocument, type ExportedEntry } from '../book-exports/book-export-reader.ts'
import type { DatabaseSession, DatabaseTables } from '../database-session.ts'

/** Objects as they are now, for the tables of analysts; those that there are not are left out. */
export type AnalystRowsReader = {
  documents(tenant: TenantKey, ids: readonly string[]): Promise<readonly ExportedDocument[]>
  /** All entries of these sources. */
  entries(tenant: TenantKey, sources: readonly string[]): Promise<readonly ExportedEntry[]>
  /** Columns by their names in the tables of analysts. */
  catalog(kind: 'customer' | 'plan' | 'subscription', tenant: TenantKey, keys: readonly string[]): Promise<readonly CatalogRow[]>
}

/** Texts; instants in UTC without a zone. */
export type CatalogRow = Readonly<Record<string, string | null>>

export function sqlAnalystRowsReader(session: DatabaseSession): AnalystRowsReader {
  return {
    documents: (tenant, ids) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('invoices')
          .select(documentColumns)
          .where('tenant', '=', tenant)
          .where('id', '=', sql<string>`ANY(${[...ids]})`)
          .execute()
        return rows.map(documentOf)
      }),

    entries: (tenant, sources) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('ledger_transactions')
          .innerJoin('ledger_entries', (join) =>
            join
              .onRef('ledger_entries.tenant', '=', 'ledger_transactions.tenant')
              .onRef('ledger_entries.source', '=', 'ledger_transactions.source'),
          )
          .select(['ledger_transactions.source', 'posted_at', 'customer', 'currency', 'position', 'account', 'amount', 'credit'])
          .where('ledger_transactions.tenant', '=', tenant)
          .where('ledger_transactions.source', '=', sql<string>`ANY(${[...sources]})`)
          .execute()
        return rows.map(({ posted_at, customer, amount, ...row }) => {
          const of = { customer: customer as CustomerKey, amount: BigInt(amount) as Money }
          return { ...row, ...of, postedAtMs: posted_at.getTime() as InstantMs }
        })
      }),

    catalog: (kind, tenant, keys) => session.run((db) => CATALOG[kind](db, tenant, keys)),
  }
}

type ReadRows = (db: Kysely<DatabaseTables>, tenant: TenantKey, keys: readonly string[]) => Promise<readonly CatalogRow[]>

const INSTANT = sql.lit('YYYY-MM-DD HH24:MI:SS.MS')

const CATALOG: Readonly<Record<'customer' | 'plan' | 'subscription', ReadRows>> = {
  customer: async (db, tenant, keys) => {
    const { rows } = await sql<CatalogRow>`
      SELECT key AS customer, name, billing ->> 'currency' AS currency, to_char(created_at AT TIME ZONE 'UTC', ${INSTANT}) AS created_at,
        to_char(archived_at AT TIME ZONE 'UTC', ${INSTANT}) AS archived_at
      FROM customers WHERE tenant = ${tenant} AND key = ANY(${[...keys]})`.execute(db)
    return rows
  },
  plan: async (db, tenant, keys) => {
    const { rows } = await sql<CatalogRow>`
      SELECT plan, version::text AS plan_version, product, name, currency, "interval", base_fee,
        to_char(created_at AT TIME ZONE 'UTC', ${INSTANT}) AS created_at
      FROM plan_versions WHERE tenant = ${tenant} AND plan = ANY(${[...keys]})`.execute(db)
    return rows
  },
  subscription: async (db, tenant, keys) => {
    const { rows } = await sql<CatalogRow>`
      SELECT DISTINCT ON (subscriptions.id) subscriptions.id AS subscription, customer, plan, plan_version::text AS plan_version,
        to_char(subscriptions.start_at AT TIME ZONE 'UTC', ${INSTANT}) AS start_at,
        to_char(subscriptions.anchor_at AT TIME ZONE 'UTC', ${INSTANT}) AS anchor_at,
        to_char(subscriptions.end_at AT TIME ZONE 'UTC', ${INSTANT}) AS end_at
      FROM subscriptions JOIN subscription_phases AS phases ON phases.tenant = subscriptions.tenant AND phases.subscription = subscriptions.id
      WHERE subscriptions.tenant = ${tenant} AND subscriptions.id = ANY(${[...keys]})
      ORDER BY subscriptions.id, phases.position DESC`.execute(db)
    return rows
  },
}
