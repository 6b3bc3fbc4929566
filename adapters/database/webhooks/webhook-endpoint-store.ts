import { type Selectable, sql } from 'kysely'
import type { RecordTimes } from '../../../domain/catalog/record-times.ts'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import { type Outcome, refuse } from '../../../domain/refusal.ts'
import type { EventType } from '../../../domain/webhooks/event-type.ts'
import { WEBHOOK_BOUNDS } from '../../../domain/webhooks/webhook-bounds.ts'
import type { DatabaseSession, DatabaseTables } from '../database-session.ts'
import { type KeyedRows, keyedRows, recordTimesOf, type TimeColumns } from '../keyed-rows.ts'
import { sqlOutboxStore } from '../outbox/outbox-store.ts'

/** Where messages are sent. Secrets leave this store with what is sent, and never in a record. */
export type WebhookEndpointStore = KeyedRows<string, WebhookEndpoint> & {
  /** A new one gets this secret; one that is there keeps its own, and is on again. Refuses `too_many_webhook_endpoints`. */
  put(
    tenant: TenantKey,
    endpoint: WantedEndpoint,
    secret: string,
  ): Promise<Outcome<{ readonly value: WebhookEndpoint; readonly isNew: boolean }>>
  /** The secret so far signs too until `previousUntilMs`; null when there is no such endpoint. */
  rotate(tenant: TenantKey, key: string, secret: string, previousUntilMs: InstantMs): Promise<WebhookEndpoint | null>
  /** The secrets that sign now, the newest first. */
  secrets(tenant: TenantKey, key: string): Promise<readonly string[]>
  /** With its deliveries; false when there is none. */
  remove(tenant: TenantKey, key: string): Promise<boolean>
  /** Nothing is sent to it any more, and the others are told. */
  disable(tenant: TenantKey, key: string, reason: DisabledReason): Promise<void>
}

export type WantedEndpoint = { readonly key: string; readonly url: string; readonly types: readonly EventType[] | null }
/** `gone`: it answered 410. `failing`: a message was given up, and none was taken for a day. */
export type DisabledReason = 'gone' | 'failing'

export type WebhookEndpoint = WantedEndpoint &
  RecordTimes & {
    readonly disabled: { readonly reason: DisabledReason; readonly atMs: InstantMs } | null
    /** Until when two secrets sign; null when one does. */
    readonly previousUntilMs: InstantMs | null
  }

declare module '../database-session.ts' {
  interface DatabaseTables {
    webhook_endpoints: TimeColumns & {
      tenant: string
      key: string
      url: string
      types: EventType[] | null
      secret: string
      previous_secret: string | null
      previous_until: Date | null
      disabled: DisabledReason | null
      disabled_at: Date | null
    }
  }
}

const ENDPOINTS_MAX = WEBHOOK_BOUNDS.endpoints.most

export function sqlWebhookEndpointStore(session: DatabaseSession): WebhookEndpointStore {
  return {
    ...keyedRows(session, 'webhook_endpoints', endpointOf),

    put: (tenant, { key, url, types }, secret) =>
      session.write(async ({ db, clock }) => {
        const now = new Date(clock.now())
        const columns = { url, types: types === null ? null : [...types] }
        const changed = await db
          .updateTable('webhook_endpoints')
          .set({ ...columns, disabled: null, disabled_at: null, updated_at: now })
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .returningAll()
          .executeTakeFirst()
        if (changed !== undefined) return { value: endpointOf(changed), isNew: false }
        const { endpoints } = await db
          .selectFrom('webhook_endpoints')
          .select(({ fn }) => fn.countAll<string | number>().as('endpoints'))
          .where('tenant', '=', tenant)
          .executeTakeFirstOrThrow()
        if (Number(endpoints) >= ENDPOINTS_MAX) return refuse('too_many_webhook_endpoints', { endpointsMax: ENDPOINTS_MAX })
        const times = { created_at: now, updated_at: now }
        // Another put of the same key may have come between: then its secret stands, and this one is as good as a change.
        const made = await db
          .insertInto('webhook_endpoints')
          .values({ tenant, key, ...columns, secret, ...times })
          .onConflict((conflict) => conflict.columns(['tenant', 'key']).doUpdateSet({ ...columns, updated_at: now }))
          .returningAll()
          .executeTakeFirstOrThrow()
        return { value: endpointOf(made), isNew: made.secret === secret }
      }),

    rotate: (tenant, key, secret, previousUntilMs) =>
      session.write(async ({ db, clock }) => {
        const changed = await db
          .updateTable('webhook_endpoints')
          .set((own) => ({
            ...{ secret, previous_secret: own.ref('secret') },
            ...{ previous_until: new Date(previousUntilMs), updated_at: new Date(clock.now()) },
          }))
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .returningAll()
          .executeTakeFirst()
        return changed === undefined ? null : endpointOf(changed)
      }),

    secrets: (tenant, key) =>
      session.run(async (db) => {
        const row = await db
          .selectFrom('webhook_endpoints')
          .select(['secret', 'previous_secret', 'previous_until'])
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .executeTakeFirst()
        return row === undefined ? [] : secretsInForce(row, session.clock.now())
      }),

    remove: (tenant, key) =>
      session.write(async ({ db }) => {
        const { numDeletedRows } = await db
          .deleteFrom('webhook_endpoints')
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .executeTakeFirst()
        return numDeletedRows > 0n
      }),

    disable: (tenant, key, reason) =>
      session.write(async (trx) => {
        const nowMs = trx.clock.now()
        const { rows } = await sql<{ url: string }>`
          UPDATE webhook_endpoints SET disabled = ${reason}, disabled_at = ${new Date(nowMs).toISOString()}::timestamptz
          WHERE tenant = ${tenant} AND key = ${key} AND disabled IS NULL RETURNING url`.execute(trx.db)
        const [disabled] = rows
        if (disabled === undefined) return
        const data = { endpoint: key, url: disabled.url, reason }
        await sqlOutboxStore(trx).append(tenant, [{ type: 'webhook.disabled', object: key, data, createdAtMs: nowMs }])
      }),
  }
}

export type SecretColumns = { readonly secret: string; readonly previous_secret: string | null; readonly previous_until: Date | null }

export function secretsInForce({ secret, previous_secret, previous_until }: SecretColumns, nowMs: InstantMs): readonly string[] {
  const isPreviousInForce = previous_secret !== null && previous_until !== null && previous_until.getTime() > nowMs
  return isPreviousInForce ? [secret, previous_secret] : [secret]
}

function endpointOf(row: Selectable<DatabaseTables['webhook_endpoints']>): WebhookEndpoint {
  const { key, url, types, disabled, disabled_at, previous_until } = row
  return {
    ...{ key, url, types, ...recordTimesOf(row) },
    disabled: disabled === null || disabled_at === null ? null : { reason: disabled, atMs: disabled_at.getTime() as InstantMs },
    previousUntilMs: previous_until === null ? null : (previous_until.getTime() as InstantMs),
  }
}
