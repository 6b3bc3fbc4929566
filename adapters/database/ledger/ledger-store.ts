import { sql } from 'kysely'
import type { Account, LedgerEntry, LedgerTransaction } from '../../../domain/billing/ledger-transaction.ts'
import type { Money } from '../../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession } from '../database-session.ts'
import { keyAfter, listName, type Page, type PageRequest, pageOf } from '../page.ts'

export type LedgerStore = {
  /** Appends; a source that is posted already is an error and takes the transaction back. */
  post(tenant: TenantKey, posted: readonly PostedTransaction[]): Promise<void>
  /** What the entries of a customer in a currency sum to, by account. */
  accounts(tenant: TenantKey, customer: CustomerKey, currency: string): Promise<ReadonlyMap<Account, bigint>>
  /** A customer's entries in a currency, oldest first, each with what its account comes to after it. */
  list(tenant: TenantKey, customer: CustomerKey, currency: string, page: PageRequest): Promise<Page<RunningEntry>>
  /** Transactions by source; those that there are. */
  bySource(tenant: TenantKey, sources: readonly string[]): Promise<readonly LedgerTransaction[]>
}

export type PostedTransaction = {
  readonly customer: CustomerKey
  readonly currency: string
  readonly postedAtMs: InstantMs
  readonly transaction: LedgerTransaction
}

export type RunningEntry = LedgerEntry & { readonly source: string; readonly postedAtMs: InstantMs; readonly balance: Money }

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

    list: (tenant, customer, currency, page) =>
      session.run(async (db) => {
        const name = listName('ledger', { customer, currency })
        const { rows } = await sql<RunningRow>`
          SELECT * FROM (
            SELECT source, posted_at, account, amount::text AS amount, credit,
              sum(amount) OVER (PARTITION BY account ORDER BY posted_at, source, position)::text AS balance,
              (to_char(posted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS') || ' ' || source || ' ' || lpad(position::text, 6, '0'))
                COLLATE "C" AS key
            FROM ledger_transactions JOIN ledger_entries USING (tenant, source)
            WHERE tenant = ${tenant} AND customer = ${customer} AND currency = ${currency}
          ) AS entries WHERE key > ${keyAfter(name, page)} ORDER BY key LIMIT ${page.limit + 1}`.execute(db)
        return pageOf(name, rows, page, ({ key }) => key, runningEntryOf)
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

type RunningRow = Parameters<typeof entryOf>[0] & { source: string; posted_at: Date; balance: string; key: string }

function runningEntryOf({ source, posted_at, balance, ...entry }: RunningRow): RunningEntry {
  return { ...entryOf(entry), source, postedAtMs: posted_at.getTime() as InstantMs, balance: BigInt(balance) as Money }
}

function entryOf({ account, amount, credit }: { account: Account; amount: string; credit: string | null }): LedgerEntry {
  return { account, amount: BigInt(amount) as Money, ...(credit !== null && { credit }) }
}
