import { type Selectable, sql } from 'kysely'
import type { Money } from '../../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession, DatabaseTables } from '../database-session.ts'
import type { InvoiceStatus } from '../invoices/invoice-store.ts'

/** The book of a stretch of time, page by page in the order of time; two pages never show a row twice. */
export type BookExportReader = {
  /** Documents that close in the stretch. */
  documents(tenant: TenantKey, of: Stretch, after: DocumentPlace | null, max: number): Promise<readonly ExportedDocument[]>
  /** Entries that were posted in the stretch. */
  entries(tenant: TenantKey, of: Stretch, after: EntryPlace | null, max: number): Promise<readonly ExportedEntry[]>
}

/** Half-open; undefined: without a bound. */
export type Stretch = { readonly fromMs: InstantMs | undefined; readonly toMs: InstantMs | undefined }
export type DocumentPlace = { readonly closesAtMs: InstantMs; readonly id: string }
export type EntryPlace = { readonly postedAtMs: InstantMs; readonly source: string; readonly position: number }

export type ExportedDocument = DocumentPlace & {
  readonly status: InvoiceStatus
  readonly currency: string
  readonly due: Money
  readonly paid: Money
  readonly contentHash: string | null
  readonly previousHash: string | null
  readonly record: Readonly<Record<string, unknown>>
}

export type ExportedEntry = EntryPlace & {
  readonly customer: CustomerKey
  readonly currency: string
  readonly account: string
  readonly amount: Money
  readonly credit: string | null
}

export function sqlBookExportReader(session: DatabaseSession): BookExportReader {
  return {
    documents: (tenant, { fromMs, toMs }, after, max) =>
      session.run(async (db) => {
        let query = db.selectFrom('invoices').select(documentColumns).where('tenant', '=', tenant)
        if (fromMs !== undefined) query = query.where('closes_at', '>=', new Date(fromMs))
        if (toMs !== undefined) query = query.where('closes_at', '<', new Date(toMs))
        if (after !== null) query = query.where(sql<boolean>`(closes_at, id) > (${new Date(after.closesAtMs)}, ${after.id})`)
        const rows = await query.orderBy('closes_at').orderBy('id').limit(max).execute()
        return rows.map(documentOf)
      }),

    entries: (tenant, { fromMs, toMs }, after, max) =>
      session.run(async (db) => {
        let query = db
          .selectFrom('ledger_transactions')
          .innerJoin('ledger_entries', (join) =>
            join
              .onRef('ledger_entries.tenant', '=', 'ledger_transactions.tenant')
              .onRef('ledger_entries.source', '=', 'ledger_transactions.source'),
          )
          .select(['ledger_transactions.source', 'posted_at', 'customer', 'currency', 'position', 'account', 'amount', 'credit'])
          .where('ledger_transactions.tenant', '=', tenant)
        if (fromMs !== undefined) query = query.where('posted_at', '>=', new Date(fromMs))
        if (toMs !== undefined) query = query.where('posted_at', '<', new Date(toMs))
        if (after !== null) {
          const { postedAtMs, source, position } = after
          // The first two alone are an index's order, so that a page begins where it must.
          query = query
            .where(sql<boolean>`(posted_at, ledger_transactions.source) >= (${new Date(postedAtMs)}, ${source})`)
            .where(sql<boolean>`(posted_at, ledger_transactions.source, position) > (${new Date(postedAtMs)}, ${source}, ${position})`)
        }
        const rows = await query.orderBy('posted_at').orderBy('ledger_transactions.source').orderBy('position').limit(max).execute()
        return rows.map(({ posted_at, customer, amount, ...row }) => {
          return {
            ...row,
            customer: customer as CustomerKey,
            amount: BigInt(amount) as Money,
            postedAtMs: posted_at.getTime() as InstantMs,
          }
        })
      }),
  }
}

const DOCUMENT_COLUMNS = ['id', 'closes_at', 'status', 'currency', 'due', 'paid', 'content_hash', 'previous_hash', 'record'] as const
/** What `documentOf` is made of. */
export const documentColumns = [...DOCUMENT_COLUMNS]

export function documentOf(row: Pick<Selectable<DatabaseTables['invoices']>, (typeof DOCUMENT_COLUMNS)[number]>): ExportedDocument {
  const { closes_at, due, paid, content_hash: contentHash, previous_hash: previousHash, ...rest } = row
  const money = { due: BigInt(due) as Money, paid: BigInt(paid) as Money }
  return { ...rest, ...money, contentHash, previousHash, closesAtMs: closes_at.getTime() as InstantMs }
}
