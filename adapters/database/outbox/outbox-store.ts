import { sql } from 'kysely'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { EventType } from '../../../domain/webhooks/event-type.ts'
import type { DatabaseSession, Json } from '../database-session.ts'

/** What others are told of, written with what made it true. */
export type OutboxStore = {
  append(tenant: TenantKey, messages: readonly OutboxMessage[]): Promise<void>
  /** Messages whose data are the records of these documents, which are copied where they are; in their order. */
  appendDocuments(tenant: TenantKey, messages: readonly Omit<OutboxMessage, 'data'>[]): Promise<void>
  /**
   * Gives committed messages that have none their places in the feed, in the order in which they were written, and queues their
   * deliveries to the endpoints that want them; how many messages. One call at a time in all processes.
   */
  place(max: number): Promise<number>
  /** Placed messages behind a place, oldest first. */
  feed(tenant: TenantKey, afterPosition: string, max: number, types?: readonly string[]): Promise<readonly PlacedMessage[]>
  /** The place of the last message; '0' without one. */
  end(tenant: TenantKey): Promise<string>
  /** Forgets messages from before this instant, with their deliveries, up to a bound; how many. */
  prune(beforeMs: InstantMs): Promise<number>
}

export type OutboxMessage = {
  readonly type: EventType
  /** Id of what it is about: messages about one object keep their order. */
  readonly object: string
  readonly data: unknown
  /** The object before the change, where the data are the object after it. */
  readonly previous?: unknown
  readonly createdAtMs: InstantMs
}

export type PlacedMessage = OutboxMessage & { readonly id: string; readonly position: string }

declare module '../database-session.ts' {
  interface DatabaseTables {
    /** bigint: decimal text. */
    outbox: {
      id: string
      tenant: string
      type: EventType
      object: string
      data: Json<unknown>
      previous: Json<unknown> | null
      /** Null until it is placed in the feed. */
      position: string | null
      created_at: Date
    }
  }
}

export function sqlOutboxStore(session: DatabaseSession): OutboxStore {
  return {
    append: (tenant, messages) =>
      session.run(async (db) => {
        if (messages.length === 0) return
        const rows = messages.map(({ createdAtMs, ...message }) => ({ ...message, created_at: new Date(createdAtMs).toISOString() }))
        await sql`
          INSERT INTO outbox (tenant, type, object, data, previous, created_at)
          SELECT ${tenant}::text, type, object, data, previous, created_at
          FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
            AS rows (type text, object text, data jsonb, previous jsonb, created_at timestamptz)`.execute(db)
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
    async place(max) {
      // A look costs nothing; the lock below is a write, and mostly there is nothing to place.
      const { rows } = await session.run((db) => sql`SELECT 1 FROM outbox WHERE position IS NULL LIMIT 1`.execute(db))
      if (rows.length === 0) return 0
      return await session.write(async ({ db, clock }) => {
        // The lock makes places visible in their order.
        await sql`SELECT FROM outbox_sender FOR UPDATE`.execute(db)
        const { rows } = await sql<{ id: string }>`
          UPDATE outbox SET position = placed.position
          FROM (SELECT id, nextval('outbox_positions') AS position
                FROM (SELECT id FROM outbox WHERE position IS NULL ORDER BY id LIMIT ${max}) AS unplaced) AS placed
          WHERE outbox.id = placed.id RETURNING outbox.id::text AS id`.execute(db)
        if (rows.length === 0) return 0
        await sql`
          INSERT INTO webhook_deliveries (tenant, endpoint, event, object, state, tries, next_at)
          SELECT outbox.tenant, endpoints.key, outbox.id, outbox.object, 'pending', 0, ${new Date(clock.now()).toISOString()}::timestamptz
          FROM outbox JOIN webhook_endpoints AS endpoints ON endpoints.tenant = outbox.tenant AND endpoints.disabled IS NULL
            AND (endpoints.types IS NULL OR outbox.type = ANY(endpoints.types))
          WHERE outbox.id = ANY(${rows.map(({ id }) => id)}::bigint[]) ORDER BY outbox.id`.execute(db)
        return rows.length
      })
    },
    feed: (tenant, afterPosition, max, types) =>
      session.run(async (db) => {
        const { rows } = await sql<StoredMessage & { position: string }>`
          SELECT id::text AS id, position::text AS position, type, object, data, previous, created_at FROM outbox
          WHERE tenant = ${tenant} AND position > ${afterPosition}::bigint ${types === undefined ? sql`` : sql`AND type = ANY(${[...types]})`}
          ORDER BY outbox.position LIMIT ${max}`.execute(db)
        return rows.map((row) => ({ ...messageOf(row), position: row.position }))
      }),
    end: (tenant) =>
      session.run(async (db) => {
        const { rows } = await sql<{ position: string }>`
          SELECT position::text AS position FROM outbox WHERE tenant = ${tenant} AND position IS NOT NULL
          ORDER BY outbox.position DESC LIMIT 1`.execute(db)
        return rows[0]?.position ?? '0'
      }),
    prune: (beforeMs) =>
      session.run(async (db) => {
        // Ids go up with time: the oldest are looked at, and those of them that are old enough go.
        const { rows } = await sql`
          DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT ${PRUNED_AT_ONCE})
            AND created_at < ${new Date(beforeMs).toISOString()}::timestamptz RETURNING 1`.execute(db)
        return rows.length
      }),
  }
}

const PRUNED_AT_ONCE = 10_000

export type StoredMessage = {
  readonly id: string
  readonly type: EventType
  readonly object: string
  readonly data: unknown
  readonly previous: unknown
  readonly created_at: Date
}

export function messageOf({ id, type, object, data, previous, created_at }: StoredMessage): OutboxMessage & { readonly id: string } {
  return { id, type, object, data, ...(previous !== null && { previous }), createdAtMs: created_at.getTime() as InstantMs }
}
