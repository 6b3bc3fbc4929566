import { sql } from 'kysely'
import type { CustomerKey, InstantMs, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import type { DueSubscription } from '../billing-cursors/billing-cursor-store.ts'
import type { DatabaseSession } from '../database-session.ts'
import type { InvoiceStatus } from '../invoices/invoice-store.ts'

/** What a month came to in documents, and which subscriptions may have one to come. */
export type BookMonthReader = {
  /**
   * Subscriptions whose next document may close by an instant, in the order of customers and ids: all that do, and some whose
   * next one closes later. `graceMs` is that of customers without their own.
   */
  mayClose(
    tenant: TenantKey,
    by: { readonly toMs: InstantMs; readonly graceMs: number },
    after: DueSubscription | null,
    max: number,
  ): Promise<readonly DueSubscription[]>
  sums(tenant: TenantKey, month: { readonly fromMs: InstantMs; readonly toMs: InstantMs }): Promise<MonthSums>
}

/** Amounts are decimals in the currency's major unit, as documents show them. */
export type MonthSums = {
  readonly documents: readonly DocumentSums[]
  readonly taxes: readonly TaxSums[]
  /** Lines that correct what was billed before. */
  readonly adjustments: readonly { readonly currency: string; readonly lines: number; readonly amount: string }[]
}

/** A credit note's total is above zero; its other sums are as it was decided. `due` and `paid` are as of now. */
export type DocumentSums = {
  readonly currency: string
  readonly document: 'invoice' | 'creditNote'
  readonly status: InvoiceStatus
  readonly documents: number
} & { readonly [sum in 'subtotal' | 'discount' | 'credits' | 'net' | 'tax' | 'total']: string } & {
  /** Minor units. */
  readonly due: bigint
  readonly paid: bigint
}

export type TaxSums = { readonly [field in 'currency' | 'key' | 'name' | 'percent' | 'base' | 'amount']: string }

export function sqlBookMonthReader(session: DatabaseSession): BookMonthReader {
  return {
    mayClose: (tenant, { toMs, graceMs }, after, max) =>
      session.run(async (db) => {
        const { rows } = await sql<{ customer: CustomerKey; subscription: SubscriptionId }>`
          SELECT cursors.customer, cursors.subscription FROM billing_cursors AS cursors
          LEFT JOIN customers ON customers.tenant = cursors.tenant AND customers.key = cursors.customer
          WHERE cursors.tenant = ${tenant} AND (cursors.customer, cursors.subscription) > (${after?.customer ?? ''}, ${after?.subscription ?? ''})
            AND cursors.next_due_at <= ${new Date(toMs)}::timestamptz
              + COALESCE((customers.billing ->> 'graceMs')::double precision, ${graceMs}) * interval '1 millisecond'
          ORDER BY cursors.customer, cursors.subscription LIMIT ${max}`.execute(db)
        return rows
      }),

    sums: (tenant, { fromMs, toMs }) =>
      session.snapshot(async (db) => {
        // What closes a period belongs to the month of its last instant; what opens one or was made by hand, to that of its own.
        const ofMonth = sql`SELECT currency, status, due, paid, record FROM invoices
          WHERE tenant = ${tenant} AND closes_at BETWEEN ${new Date(fromMs)} AND ${new Date(toMs)}
            AND CASE WHEN record ->> 'kind' IN ('cycle', 'closing', 'adjustment') THEN closes_at > ${new Date(fromMs)}
              ELSE closes_at < ${new Date(toMs)} END`
        const documents = await sql<Omit<DocumentSums, 'due' | 'paid'> & { due: string; paid: string }>`
          WITH month AS (${ofMonth})
          SELECT currency, record ->> 'document' AS document, status, count(*)::integer AS documents,
            ${sql.join(SUMS.map((field) => sql`sum((record ->> ${sql.lit(field)})::numeric)::text AS ${sql.ref(field)}`))},
            sum(due)::text AS due, sum(paid)::text AS paid
          FROM month GROUP BY 1, 2, 3 ORDER BY 1, 2 DESC, 3`.execute(db)
        const taxes = await sql<TaxSums>`
          WITH month AS (${ofMonth})
          SELECT currency, tax ->> 'key' AS key, tax ->> 'name' AS name, tax ->> 'percent' AS percent,
            sum((tax ->> 'base')::numeric)::text AS base, sum((tax ->> 'amount')::numeric)::text AS amount
          FROM month, jsonb_array_elements(record -> 'taxes') AS tax WHERE status <> 'void' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 4`.execute(
          db,
        )
        const adjustments = await sql<MonthSums['adjustments'][number]>`
          WITH month AS (${ofMonth})
          SELECT currency, count(*)::integer AS lines, sum((line ->> 'amount')::numeric)::text AS amount
          FROM month, jsonb_array_elements(record -> 'lines') AS line
          WHERE status <> 'void' AND line ->> 'kind' = 'adjustment' GROUP BY 1 ORDER BY 1`.execute(db)
        return {
          documents: documents.rows.map((row) => ({ ...row, due: BigInt(row.due), paid: BigInt(row.paid) })),
          taxes: taxes.rows,
          adjustments: adjustments.rows,
        }
      }),
  }
}

const SUMS = ['subtotal', 'discount', 'credits', 'net', 'tax', 'total'] as const
