import { sql } from 'kysely'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession } from '../database-session.ts'
import { messageOf, type OutboxMessage, type StoredMessage } from '../outbox/outbox-store.ts'
import { keyAfter, listName, type Page, type PageRequest, pageOf } from '../page.ts'
import { type SecretColumns, secretsInForce } from './webhook-endpoint-store.ts'

/** Which message goes to which endpoint, and what came of it. */
export type WebhookDeliveryStore = {
  /** Takes or keeps the lease of the one process that sends; false while another has it. */
  lead(holder: string, untilMs: InstantMs): Promise<boolean>
  /** Lets another process take over at once. */
  resign(holder: string): Promise<void>
  /**
   * Deliveries to try now, without those in `except`: up to `perEndpointMax` of each endpoint, and of each object the oldest
   * that is pending alone, so that messages about one object arrive in their order.
   */
  due(perEndpointMax: number, except: readonly string[]): Promise<readonly DueDelivery[]>
  record(tries: readonly RecordedTry[]): Promise<void>
  hasDeliveredSince(tenant: TenantKey, endpoint: string, sinceMs: InstantMs): Promise<boolean>
  /** Newest message first. */
  list(
    tenant: TenantKey,
    endpoint: string,
    filter: { readonly state?: DeliveryState | undefined },
    page: PageRequest,
  ): Promise<Page<Delivery>>
  /** Sends messages again, or for the first time, from now on; how many, up to `max`, the oldest first. */
  replay(tenant: TenantKey, endpoint: string, wanted: WantedReplay, max: number): Promise<number>
}

export type DeliveryState = 'pending' | 'delivered' | 'failed'

export type DueDelivery = {
  readonly id: string
  readonly tenant: TenantKey
  readonly endpoint: string
  readonly url: string
  readonly secrets: readonly string[]
  /** Tries so far. */
  readonly tries: number
  readonly message: OutboxMessage & { readonly id: string }
}

export type LastTry = {
  readonly tries: number
  readonly triedAtMs: InstantMs
  readonly tookMs: number
  readonly status: number | null
  /** The first KiB. */
  readonly answer: string | null
  readonly error: string | null
}

export type RecordedTry = LastTry & { readonly id: string; readonly state: DeliveryState; readonly nextAtMs: InstantMs }

export type Delivery = Omit<LastTry, 'triedAtMs' | 'tookMs'> & {
  readonly triedAtMs: InstantMs | null
  readonly tookMs: number | null
  readonly state: DeliveryState
  readonly nextAtMs: InstantMs | null
  readonly message: OutboxMessage & { readonly id: string }
}

export type WantedReplay = {
  readonly fromMs: InstantMs | null
  readonly toMs: InstantMs | null
  readonly types: readonly string[] | null
  readonly ids: readonly string[] | null
}

type DeliveryRow = {
  readonly tries: number
  readonly state: DeliveryState
  readonly next_at: Date
  readonly tried_at: Date | null
  readonly took_ms: number | null
  readonly status: number | null
  readonly answer: string | null
  readonly error: string | null
}

export function sqlWebhookDeliveryStore(session: DatabaseSession): WebhookDeliveryStore {
  const iso = (ms: InstantMs) => new Date(ms).toISOString()
  return {
    lead: (holder, untilMs) =>
      session.run(async (db) => {
        const { rows } = await sql`
          UPDATE outbox_sender SET holder = ${holder}, until = ${iso(untilMs)}::timestamptz
          WHERE holder = ${holder} OR holder IS NULL OR until < ${iso(session.clock.now())}::timestamptz RETURNING 1`.execute(db)
        return rows.length > 0
      }),

    resign: (holder) =>
      session.run(async (db) => {
        await sql`UPDATE outbox_sender SET holder = NULL WHERE holder = ${holder}`.execute(db)
      }),

    due: (perEndpointMax, except) =>
      session.run(async (db) => {
        const nowMs = session.clock.now()
        const { rows } = await sql<DueRow>`
          SELECT due.id::text AS delivery, endpoints.tenant, endpoints.key AS endpoint, endpoints.url, endpoints.secret,
            endpoints.previous_secret, endpoints.previous_until, due.tries,
            outbox.id::text AS id, outbox.type, outbox.object, outbox.data, outbox.previous, outbox.created_at
          FROM webhook_endpoints AS endpoints
          CROSS JOIN LATERAL (
            SELECT own.id, own.event, own.tries FROM webhook_deliveries AS own
            WHERE own.tenant = endpoints.tenant AND own.endpoint = endpoints.key AND own.state = 'pending'
              AND own.next_at <= ${iso(nowMs)}::timestamptz AND own.id <> ALL(${[...except]}::bigint[])
              AND own.event = (
                SELECT min(before.event) FROM webhook_deliveries AS before
                WHERE before.tenant = own.tenant AND before.endpoint = own.endpoint AND before.object = own.object
                  AND before.state = 'pending')
            ORDER BY own.event LIMIT ${perEndpointMax}) AS due
          JOIN outbox ON outbox.id = due.event
          WHERE endpoints.disabled IS NULL`.execute(db)
        return rows.map((row) => ({
          ...{ id: row.delivery, tenant: row.tenant, endpoint: row.endpoint, url: row.url, tries: row.tries },
          ...{ secrets: secretsInForce(row, nowMs), message: messageOf(row) },
        }))
      }),

    record: (tries) =>
      session.run(async (db) => {
        if (tries.length === 0) return
        const rows = tries.map(({ id, state, nextAtMs, tries, triedAtMs, tookMs, status, answer, error }) => ({
          ...{ id, state, next_at: iso(nextAtMs), tries, tried_at: iso(triedAtMs), took_ms: tookMs, status, answer, error },
        }))
        await sql`
          UPDATE webhook_deliveries AS own SET state = rows.state, next_at = rows.next_at, tries = rows.tries, tried_at = rows.tried_at,
            took_ms = rows.took_ms, status = rows.status, answer = rows.answer, error = rows.error
          FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS rows (id bigint, state text, next_at timestamptz, tries integer,
            tried_at timestamptz, took_ms integer, status integer, answer text, error text)
          WHERE own.id = rows.id`.execute(db)
      }),

    hasDeliveredSince: (tenant, endpoint, sinceMs) =>
      session.run(async (db) => {
        const { rows } = await sql`
          SELECT 1 FROM webhook_deliveries WHERE tenant = ${tenant} AND endpoint = ${endpoint} AND state = 'delivered'
            AND tried_at >= ${iso(sinceMs)}::timestamptz LIMIT 1`.execute(db)
        return rows.length > 0
      }),

    list: (tenant, endpoint, { state }, page) =>
      session.run(async (db) => {
        const list = listName('webhook deliveries', { endpoint, state })
        const after = keyAfter(list, page)
        const { rows } = await sql<DeliveryRow & StoredMessage>`
          SELECT own.state, own.tries, own.next_at, own.tried_at, own.took_ms, own.status, own.answer, own.error,
            outbox.id::text AS id, outbox.type, outbox.object, outbox.data, outbox.previous, outbox.created_at
          FROM webhook_deliveries AS own JOIN outbox ON outbox.id = own.event
          WHERE own.tenant = ${tenant} AND own.endpoint = ${endpoint}
            ${after === '' ? sql`` : sql`AND own.event < ${after}::bigint`} ${state === undefined ? sql`` : sql`AND own.state = ${state}`}
          ORDER BY own.event DESC LIMIT ${page.limit + 1}`.execute(db)
        return pageOf(list, rows, page, ({ id }) => id, deliveryOf)
      }),

    replay: (tenant, endpoint, { fromMs, toMs, types, ids }, max) =>
      session.run(async (db) => {
        const now = iso(session.clock.now())
        const { rows } = await sql`
          INSERT INTO webhook_deliveries (tenant, endpoint, event, object, state, tries, next_at)
          SELECT tenant, ${endpoint}::text, id, object, 'pending', 0, ${now}::timestamptz FROM outbox
          WHERE tenant = ${tenant} AND position IS NOT NULL
            ${fromMs === null ? sql`` : sql`AND created_at >= ${iso(fromMs)}::timestamptz`}
            ${toMs === null ? sql`` : sql`AND created_at < ${iso(toMs)}::timestamptz`}
            ${types === null ? sql`` : sql`AND type = ANY(${[...types]})`}
            ${ids === null ? sql`` : sql`AND id = ANY(${[...ids]}::bigint[])`}
          ORDER BY outbox.position LIMIT ${max}
          ON CONFLICT (tenant, endpoint, event) DO UPDATE SET state = 'pending', tries = 0, next_at = EXCLUDED.next_at
          RETURNING 1`.execute(db)
        return rows.length
      }),
  }
}

type DueRow = StoredMessage &
  SecretColumns & {
    readonly delivery: string
    readonly tenant: TenantKey
    readonly endpoint: string
    readonly url: string
    readonly tries: number
  }

function deliveryOf(row: DeliveryRow & StoredMessage): Delivery {
  const { state, tries, next_at, tried_at, took_ms, status, answer, error } = row
  return {
    ...{ state, tries, status, answer, error, tookMs: took_ms },
    nextAtMs: state === 'pending' ? (next_at.getTime() as InstantMs) : null,
    triedAtMs: tried_at === null ? null : (tried_at.getTime() as InstantMs),
    message: messageOf(row),
  }
}
