import { type Selectable, sql } from 'kysely'
import type { InvoiceDraft } from '../../../domain/billing/invoice-draft.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { exactJson, fromExactJson } from '../exact-json.ts'
import { keyAfter, listName, type Page, type PageRequest, pageOf } from '../page.ts'

/** Documents by hand that are not final yet. */
export type InvoiceDraftStore = {
  create(tenant: TenantKey, draft: InvoiceDraft): Promise<void>
  get(tenant: TenantKey, id: string): Promise<InvoiceDraft | null>
  /** The same; its row stays locked until the transaction ends. */
  lock(tenant: TenantKey, id: string): Promise<InvoiceDraft | null>
  list(tenant: TenantKey, customer: CustomerKey | undefined, page: PageRequest): Promise<Page<InvoiceDraft>>
  /** Replaces lines and hold. */
  change(tenant: TenantKey, draft: Pick<InvoiceDraft, 'id' | 'lines' | 'isPaused'>): Promise<void>
  remove(tenant: TenantKey, id: string): Promise<void>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    invoice_drafts: {
      tenant: string
      id: string
      customer: string
      currency: string
      paused: boolean
      lines: Json<unknown>
      credit: Json<unknown> | null
      created_at: Date
    }
  }
}

export function sqlInvoiceDraftStore(session: DatabaseSession): InvoiceDraftStore {
  const find = (tenant: TenantKey, id: string, isLocked: boolean) =>
    session.run(async (db) => {
      const query = db.selectFrom('invoice_drafts').selectAll().where('tenant', '=', tenant).where('id', '=', id)
      const row = await (isLocked ? query.forUpdate() : query).executeTakeFirst()
      return row === undefined ? null : draftOf(row)
    })
  return {
    create: (tenant, { id, customer, currency, isPaused, lines, credit, createdAtMs }) =>
      session.run(async (db) => {
        const kept = { lines: exactJson(lines), credit: credit === null ? null : exactJson(credit) }
        await db
          .insertInto('invoice_drafts')
          .values({ tenant, id, customer, currency, paused: isPaused, ...kept, created_at: new Date(createdAtMs) })
          .execute()
      }),
    get: (tenant, id) => find(tenant, id, false),
    lock: (tenant, id) => find(tenant, id, true),
    list: (tenant, customer, page) =>
      session.run(async (db) => {
        const list = listName('invoice drafts', { customer })
        let query = db.selectFrom('invoice_drafts').selectAll().where('tenant', '=', tenant).where('id', '>', keyAfter(list, page))
        if (customer !== undefined) query = query.where('customer', '=', customer)
        const rows = await query
          .orderBy('id')
          .limit(page.limit + 1)
          .execute()
        return pageOf(list, rows, page, ({ id }) => id, draftOf)
      }),
    change: (tenant, { id, lines, isPaused }) =>
      session.run(async (db) => {
        await db
          .updateTable('invoice_drafts')
          .set({ lines: sql`${exactJson(lines)}::jsonb`, paused: isPaused })
          .where('tenant', '=', tenant)
          .where('id', '=', id)
          .execute()
      }),
    remove: (tenant, id) =>
      session.run(async (db) => {
        await db.deleteFrom('invoice_drafts').where('tenant', '=', tenant).where('id', '=', id).execute()
      }),
  }
}

function draftOf(row: Selectable<DatabaseTables['invoice_drafts']>): InvoiceDraft {
  return {
    ...{ id: row.id, customer: row.customer as CustomerKey, currency: row.currency, isPaused: row.paused },
    lines: fromExactJson<InvoiceDraft['lines']>(row.lines),
    credit: row.credit === null ? null : fromExactJson<InvoiceDraft['credit']>(row.credit),
    createdAtMs: row.created_at.getTime() as InstantMs,
  }
}
