import { sql } from 'kysely'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession, Json } from '../database-session.ts'

/** What others are told of, written with what made it true. */
export type OutboxStore = {
  append(tenant: TenantKey, messages: readonly OutboxMessage[]): Promise<void>
  /** Messages whose data are the records of these documents, which are copied where they are; in their order. */
  appendDocuments(tenant: TenantKey, messages: readonly Omit<OutboxMessage, 'data'>[]): Promise<void>
  /** Oldest first, from behind an id on. */
  after(tenant: TenantKey, id: string, max: number): Promise<readonly (OutboxMessage & { readonly id: string })[]>
}

export type OutboxMessage = {
  readonly type: OutboxType
  /** Id of what it is about: messages about one object keep their order. */
  readonly object: string
  readonly data: unknown
  readonly createdAtMs: InstantMs
}

export type OutboxType =
  | 'invoice.finalised'
  | 'invoice.paid'
  | 'invoice.voided'
  | 'invoice.uncollectible'
  | 'payment.recorded'
  | 'credit_note.issued'
  | 'credit.granted'
  | 'credit.voided'

declare module '../database-session.ts' {
  interface DatabaseTables {
    /** bigint: decimal text. */
    outbox: { id: string; tenant: string; type: OutboxType; object: string; data: Json<unknown>; created_at: Date }
  }
}

export function sqlOutboxStore(session: DatabaseSession): OutboxStore {
  return {
    append: (tenant, messages) =>
      session.run(async (db) => {
        if (messages.length === 0) return
        const rows = messages.map(({ createdAtMs, ...message }) => ({ ...message, created_at: new Date(createdAtMs).toISOString() }))
        await sql`
          INSERT INTO outbox (tenant, type, object, data, created_at)
          SELECT ${tenant}::text, type, object, data, created_at
          FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS rows (type text, object text, data jsonb, created_at timestamptz)`.execute(
          db,
        )
      }),
    appendDocuments: (tenant, messages) =>
      session.run(async (db) => {
        if (messages.length === 0) return
        const rows = messages.map(({ createdAtMs, ...message }) => ({ ...message, created_at: new Date(createdAtMs).toISOString() }))
        await sql`
          INSERT INTO outbox (tenant, type, object, data, created_at)
          SELECT ${tenant}::text, rows.type, rows.object, invoices.record, rows.created_at
          FROM ROWS FROM (jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS (type text, object text, created_at timestamptz))
            WITH ORDINALITY AS rows (type, object, created_at, place)
          JOIN invoices ON invoices.tenant = ${tenant} AND invoices.id = rows.object
          ORDER BY rows.place`.execute(db)
      }),
    after: (tenant, id, max) =>
      session.run(async (db) => {
        const { rows } = await sql<{ id: string; type: OutboxType; object: string; data: unknown; created_at: Date }>`
          SELECT id::text AS id, type, object, data, created_at FROM outbox
          WHERE tenant = ${tenant} AND id > ${id}::bigint ORDER BY outbox.id LIMIT ${max}`.execute(db)
        return rows.map(({ created_at, ...message }) => ({ ...message, createdAtMs: created_at.getTime() as InstantMs }))
      }),
  }
}
