import { sql } from 'kysely'
import type { Money } from '../../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { customerPlaces } from '../customer-places.ts'
import type { DatabaseSession } from '../database-session.ts'
import type { InvoiceStatus, SeriesEnd } from '../invoices/invoice-store.ts'

/** The book as an auditor reads it: everything, in order, page by page. */
export type BookAuditReader = {
  /** Tenants that have a document or an entry in the ledger. */
  tenants(): Promise<readonly TenantKey[]>
  seriesEnds(tenant: TenantKey): Promise<ReadonlyMap<string, SeriesEnd>>
  /** Documents of a series in the order of their numbers. */
  numbered(tenant: TenantKey, series: string, afterSequence: number, max: number): Promise<readonly AuditedDocument[]>
  /** Customers with documents, in the order of their keys. */
  customers(tenant: TenantKey, after: string, max: number): Promise<readonly CustomerKey[]>
  /** All documents of these customers that close at `sinceMs` or later, in the order in which they were made. */
  documentsOf(tenant: TenantKey, customers: readonly CustomerKey[], sinceMs: InstantMs): Promise<readonly AuditedDocument[]>
  /** What does not add up in the ledger and beside it, the first `max` of each kind. */
  ledgerDifferences(tenant: TenantKey, max: number): Promise<readonly LedgerDifference[]>
}

export type AuditedDocument = {
  readonly id: string
  readonly customer: CustomerKey
  readonly subscription: SubscriptionId | null
  readonly status: InvoiceStatus
  readonly currency: string
  readonly due: Money
  readonly paid: Money
  readonly sequence: number | null
  readonly contentHash: string | null
  readonly previousHash: string | null
  readonly record: Readonly<Record<string, unknown>>
}

/** Minor units as decimal text. */
export type LedgerDifference = { readonly what: LedgerRule; readonly where: string; readonly expected: string; readonly found: string }

export type LedgerRule =
  | 'entries of a transaction sum to zero'
  | 'the balance of account is what its entries sum to'
  | 'what is left of a credit is what its entries sum to'
  | 'what is paid of a document is what its payments sum to'

export function sqlBookAuditReader(session: DatabaseSession): BookAuditReader {
  return {
    tenants: () =>
      session.run(async (db) => {
        const { rows } = await sql<{ tenant: string }>`
          SELECT tenant FROM invoices UNION SELECT tenant FROM ledger_transactions ORDER BY tenant`.execute(db)
        return rows.map(({ tenant }) => tenant as TenantKey)
      }),

    seriesEnds: (tenant) =>
      session.run(async (db) => {
        const rows = await db.selectFrom('number_series').selectAll().where('tenant', '=', tenant).orderBy('series').execute()
        return new Map(rows.map(({ series, last, last_hash }) => [series, { last, lastHash: last_hash }]))
      }),

    numbered: (tenant, series, afterSequence, max) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('invoices')
          .select(COLUMNS)
          .where('tenant', '=', tenant)
          .where('series', '=', series)
          .where('sequence', '>', afterSequence)
          .orderBy('sequence')
          .limit(max)
          .execute()
        return rows.map(documentOf)
      }),

    customers: customerPlaces(session, 'invoices'),

    documentsOf: (tenant, customers, sinceMs) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('invoices')
          .select(COLUMNS)
          .where('tenant', '=', tenant)
          .where('customer', '=', sql<string>`ANY(${[...customers]})`)
          .where('closes_at', '>=', new Date(sinceMs))
          .orderBy('id')
          .execute()
        return rows.map(documentOf)
      }),

    ledgerDifferences: (tenant, max) =>
      session.snapshot(async (db) => {
        const find = async (what: LedgerRule, query: ReturnType<typeof sql<Omit<LedgerDifference, 'what'>>>) =>
          (await query.execute(db)).rows.map((row) => ({ what, ...row }))
        return [
          ...(await find(
            'entries of a transaction sum to zero',
            sql`SELECT source AS where, '0' AS expected, sum(amount)::text AS found FROM ledger_entries WHERE tenant = ${tenant}
                GROUP BY source HAVING sum(amount) <> 0 ORDER BY source LIMIT ${max}`,
          )),
          ...(await find(
            'the balance of account is what its entries sum to',
            sql`WITH entries AS (
                  SELECT customer, currency, -sum(amount) AS balance FROM ledger_entries JOIN ledger_transactions USING (tenant, source)
                  WHERE tenant = ${tenant} AND account = 'balance' GROUP BY customer, currency),
                accounts AS (SELECT customer, currency, balance FROM billing_accounts WHERE tenant = ${tenant})
                SELECT customer || ' ' || currency AS where, COALESCE(entries.balance, 0)::text AS expected,
                  COALESCE(accounts.balance, 0)::text AS found
                FROM entries FULL JOIN accounts USING (customer, currency)
                WHERE COALESCE(entries.balance, 0) <> COALESCE(accounts.balance, 0) ORDER BY 1 LIMIT ${max}`,
          )),
          ...(await find(
            'what is left of a credit is what its entries sum to',
            sql`WITH entries AS (
                  SELECT customer, credit AS id, -sum(amount) AS rest FROM ledger_entries JOIN ledger_transactions USING (tenant, source)
                  WHERE tenant = ${tenant} AND account = 'credits' AND credit IS NOT NULL GROUP BY customer, credit),
                kept AS (SELECT customer, id, amount - burned - expired - voided AS rest FROM credits WHERE tenant = ${tenant})
                SELECT customer || ' ' || id AS where, COALESCE(entries.rest, 0)::text AS expected, COALESCE(kept.rest, 0)::text AS found
                FROM entries FULL JOIN kept USING (customer, id)
                WHERE COALESCE(entries.rest, 0) <> COALESCE(kept.rest, 0) ORDER BY 1 LIMIT ${max}`,
          )),
          ...(await find(
            'what is paid of a document is what its payments sum to',
            sql`WITH paid AS (
                  SELECT invoice AS id, sum(amount - to_balance) AS paid FROM payments WHERE tenant = ${tenant} GROUP BY invoice)
                SELECT invoices.id AS where, COALESCE(paid.paid, 0)::text AS expected, invoices.paid::text AS found
                FROM invoices LEFT JOIN paid USING (id)
                WHERE invoices.tenant = ${tenant} AND COALESCE(paid.paid, 0) <> invoices.paid ORDER BY 1 LIMIT ${max}`,
          )),
        ]
      }),
  }
}

const COLUMNS = [
  ...(['id', 'customer', 'subscription', 'status', 'currency', 'due', 'paid'] as const),
  ...(['sequence', 'content_hash', 'previous_hash', 'record'] as const),
]

function documentOf(row: {
  readonly id: string
  readonly customer: string
  readonly subscription: string | null
  readonly status: InvoiceStatus
  readonly currency: string
  readonly due: string
  readonly paid: string
  readonly sequence: number | null
  readonly content_hash: string | null
  readonly previous_hash: string | null
  readonly record: Readonly<Record<string, unknown>>
}): AuditedDocument {
  const { customer, subscription, due, paid, content_hash: contentHash, previous_hash: previousHash, ...rest } = row
  return {
    ...rest,
    ...{ customer: customer as CustomerKey, subscription: subscription as SubscriptionId | null },
    ...{ due: BigInt(due) as Money, paid: BigInt(paid) as Money, contentHash, previousHash },
  }
}
