import { sql } from 'kysely'
import type { Account, LedgerEntry, LedgerTransaction } from '../../../domain/billing/ledger-transaction.ts'
import type { Money } from '../../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession } from '../database-session.ts'

export type LedgerStore = {
  /** Appends; a source that is posted already is an error and takes the transaction back. */
  post(tenant: TenantKey, posted: readonly PostedTransaction[]): Promise<void>
  /** What the entries of a customer in a currency sum to, by account. */
  accounts(tenant: TenantKey, customer: CustomerKey, currency: string): Promise<ReadonlyMap<Account, bigint>>
  /** Transactions by source; those that there are. */
  bySource(tenant: TenantKey, sources: readonly string[]): Promise<readonly LedgerTransaction[]>
}

export type PostedTransaction = {
  readonly customer: CustomerKey
  readonly currency: string
  readonly postedAtMs: InstantMs
  readonly transaction: LedgerTransaction
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    ledger_transactions: { tenant: string; source: string; customer: string; currency: string; posted_at: Date }
    /** numeric: decimal text. */
    ledger_entries: { tenant: string; source: string; position: number; account: string; amount: string; credit: string | null }
  }
}

export function sqlLedgerStore(session: DatabaseSession): LedgerStore {
  return {
    post: (tenant, posted) =>
      session.run(async (db) => {
        if (posted.length === 0) return
        const transactions = posted.map(({ customer, currency, postedAtMs, transaction: { source } }) => {
          return { source, customer, currency, posted_at: new Date(postedAtMs).toISOString() }
        })
        const entries = posted.flatMap(({ transaction: { source, entries } }) =>
          entries.map(({ account, amount, credit }, position) => ({
            source,
            position,
            account,
            amount: String(amount),
            credit: credit ?? null,
          })),
        )
        // One statement, so that no transaction is ever there without its entries.
        await sql`
          WITH posted AS (
            INSERT INTO ledger_transactions (tenant, source, customer, currency, posted_at)
            SELECT ${tenant}::text, source, customer, currency, posted_at
            FROM jsonb_to_recordset(${JSON.stringify(transactions)}::jsonb)
              AS rows (source text, customer text, currency text, posted_at timestamptz))
          INSERT INTO ledger_entries (tenant, source, position, account, amount, credit)
          SELECT ${tenant}::text, source, position, account, amount, credit
          FROM jsonb_to_recordset(${JSON.stringify(entries)}::jsonb)
            AS rows (source text, position integer, account text, amount numeric, credit text)`.execute(db)
      }),

    accounts: (tenant, customer, currency) =>
      session.run(async (db) => {
        const { rows } = await sql<{ account: Account; amount: string }>`
          SELECT account, sum(amount)::text AS amount
          FROM ledger_transactions JOIN ledger_entries USING (tenant, source)
          WHERE tenant = ${tenant} AND customer = ${customer} AND currency = ${currency}
          GROUP BY account`.execute(db)
        return new Map(rows.map(({ account, amount }) => [account, BigInt(amount)]))
      }),

    bySource: (tenant, sources) =>
      session.run(async (db) => {
        const { rows } = await sql<{ source: string; account: Account; amount: string; credit: string | null }>`
          SELECT source, account, amount::text AS amount, credit FROM ledger_entries
          WHERE tenant = ${tenant} AND source = ANY(${[...sources]}) ORDER BY source, position`.execute(db)
        return [...Map.groupBy(rows, ({ source }) => source)].map(([source, entries]) => ({ source, entries: entries.map(entryOf) }))
      }),
  }
}

function entryOf({ account, amount, credit }: { account: Account; amount: string; credit: string | null }): LedgerEntry {
  return { account, amount: BigInt(amount) as Money, ...(credit !== null && { credit }) }
}
