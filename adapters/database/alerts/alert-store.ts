import { type Selectable, sql } from 'kysely'
import { invariant } from '../../../base/invariant.ts'
import type { Alert } from '../../../domain/alerts/alert.ts'
import type { RecordTimes } from '../../../domain/catalog/record-times.ts'
import { type CustomerKey, END_OF_TIME_MS, type InstantMs, type Period, type TenantKey } from '../../../domain/identity.ts'
import { type Outcome, refuse } from '../../../domain/refusal.ts'
import { WEBHOOK_BOUNDS } from '../../../domain/webhooks/webhook-bounds.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { exactJson, fromExactJson } from '../exact-json.ts'
import { type KeyedRows, keyedRows, recordTimesOf, type TimeColumns } from '../keyed-rows.ts'
import { sqlOutboxStore } from '../outbox/outbox-store.ts'
import type { PutResult } from '../put-result.ts'
import { hasSameContent } from '../same-content.ts'

export type AlertStore = KeyedRows<string, AlertRecord> & {
  /** A changed one knows of nobody who has reached it. Refuses `too_many_alerts`. */
  put(tenant: TenantKey, alert: Alert): Promise<Outcome<PutResult<AlertRecord>>>
  remove(tenant: TenantKey, key: string): Promise<boolean>
  /** Of all tenants. */
  all(): Promise<readonly (AlertRecord & { readonly tenant: TenantKey })[]>
  /** Who is beyond which alert. */
  reached(tenant: TenantKey, filter: { readonly customer?: CustomerKey }): Promise<readonly ReachedAlert[]>
  /** The same of all tenants. */
  allReached(): Promise<readonly (ReachedAlert & { readonly tenant: TenantKey })[]>
  /** Records and tells those of these that nobody has told of before, and those that hold no longer; how many. */
  tell(tenant: TenantKey, changes: readonly AlertChange[]): Promise<number>
}

export type AlertRecord = Alert & RecordTimes
export type ReachedAlert = { readonly alert: string; readonly customer: CustomerKey; readonly period: Period }

/** `data` is what is told. */
export type AlertChange = ReachedAlert & { readonly isReached: boolean; readonly data: object }

declare module '../database-session.ts' {
  interface DatabaseTables {
    alerts: TimeColumns & { tenant: string; key: string; alert: Json<unknown> }
  }
}

declare module '../changes.ts' {
  interface Topics {
    alerts: string
  }
}

export function sqlAlertStore(session: DatabaseSession): AlertStore {
  return {
    ...keyedRows(session, 'alerts', alertOf),

    put: (tenant, alert) =>
      session.write(async ({ db, announce, clock }) => {
        const { key } = alert
        const content = exactJson(alert)
        const now = new Date(clock.now())
        const of = db.selectFrom('alerts').where('tenant', '=', tenant)
        const stored = await of.selectAll().where('key', '=', key).forUpdate().executeTakeFirst()
        if (stored !== undefined && hasSameContent(stored.alert, JSON.parse(content))) return { value: alertOf(stored), result: 'same' }
        const { alerts } = await of.select(({ fn }) => fn.countAll<string | number>().as('alerts')).executeTakeFirstOrThrow()
        const alertsMax = WEBHOOK_BOUNDS.alerts.most
        if (stored === undefined && Number(alerts) >= alertsMax) return refuse('too_many_alerts', { alertsMax })
        await sql`DELETE FROM alerts_reached WHERE tenant = ${tenant} AND alert = ${key}`.execute(db)
        const columns = { alert: content, updated_at: now }
        const put = await db
          .insertInto('alerts')
          .values({ tenant, key, ...columns, created_at: now })
          .onConflict((conflict) => conflict.columns(['tenant', 'key']).doUpdateSet(columns))
          .returningAll()
          .executeTakeFirstOrThrow()
        announce({ tenant, topic: 'alerts', key })
        return { value: alertOf(put), result: stored === undefined ? 'created' : 'changed' }
      }),

    remove: (tenant, key) =>
      session.write(async ({ db, announce }) => {
        const { numDeletedRows } = await db.deleteFrom('alerts').where('tenant', '=', tenant).where('key', '=', key).executeTakeFirst()
        announce({ tenant, topic: 'alerts', key })
        return numDeletedRows > 0n
      }),

    all: () =>
      session.run(async (db) => {
        const rows = await db.selectFrom('alerts').selectAll().execute()
        return rows.map((row) => ({ ...alertOf(row), tenant: row.tenant as TenantKey }))
      }),

    reached: (tenant, { customer }) =>
      session.run(async (db) => {
        const { rows } = await sql<ReachedRow>`
          SELECT * FROM alerts_reached WHERE tenant = ${tenant} ${customer === undefined ? sql`` : sql`AND customer = ${customer}`}
          ORDER BY customer, alert`.execute(db)
        return rows.map(reachedOf)
      }),

    allReached: () =>
      session.run(async (db) => {
        const { rows } = await sql<ReachedRow>`SELECT * FROM alerts_reached`.execute(db)
        return rows.map((row) => ({ ...reachedOf(row), tenant: row.tenant }))
      }),

    tell: (tenant, changes) =>
      session.write(async (trx) => {
        const { db, clock } = trx
        const nowMs = clock.now()
        const now = new Date(nowMs).toISOString()
        const rows = (isReached: boolean) =>
          JSON.stringify(
            changes
              .filter((change) => change.isReached === isReached)
              .map(({ alert, customer, period }) => ({
                ...{ alert, customer, period_start: new Date(period.startMs).toISOString() },
                period_end: period.endMs >= END_OF_TIME_MS ? null : new Date(period.endMs).toISOString(),
              })),
          )
        // An alert that was removed meanwhile tells of nobody; one of the same period is on record already.
        const reached = await sql<Named>`
          INSERT INTO alerts_reached AS own (tenant, alert, customer, period_start, period_end, told_at)
          SELECT ${tenant}::text, rows.alert, rows.customer, rows.period_start, rows.period_end, ${now}::timestamptz
          FROM jsonb_to_recordset(${rows(true)}::jsonb) AS rows (alert text, customer text, period_start timestamptz, period_end timestamptz)
          JOIN alerts ON alerts.tenant = ${tenant} AND alerts.key = rows.alert
          ON CONFLICT (tenant, alert, customer) DO UPDATE
            SET period_start = EXCLUDED.period_start, period_end = EXCLUDED.period_end, told_at = EXCLUDED.told_at
            WHERE own.period_start <> EXCLUDED.period_start
          RETURNING alert, customer`.execute(db)
        const resolved = await sql<Named>`
          DELETE FROM alerts_reached AS own
          USING jsonb_to_recordset(${rows(false)}::jsonb) AS rows (alert text, customer text)
          WHERE own.tenant = ${tenant} AND own.alert = rows.alert AND own.customer = rows.customer
          RETURNING own.alert, own.customer`.execute(db)
        const told = [
          ...reached.rows.map((row) => ({ row, type: 'usage.threshold_reached' as const })),
          ...resolved.rows.map((row) => ({ row, type: 'usage.threshold_resolved' as const })),
        ]
        const messages = told.map(({ row, type }) => {
          const change = changes.find(({ alert, customer }) => alert === row.alert && customer === row.customer)
          invariant(change !== undefined, 'what is told was asked for')
          return { type, object: `${row.alert}/${row.customer}`, data: change.data, createdAtMs: nowMs }
        })
        await sqlOutboxStore(trx).append(tenant, messages)
        return messages.length
      }),
  }
}

type Named = { readonly alert: string; readonly customer: string }
type ReachedRow = Named & { readonly tenant: TenantKey; readonly period_start: Date; readonly period_end: Date | null }

function reachedOf({ alert, customer, period_start, period_end }: ReachedRow): ReachedAlert {
  const endMs = period_end === null ? END_OF_TIME_MS : (period_end.getTime() as InstantMs)
  const period = { startMs: period_start.getTime() as InstantMs, endMs }
  return { alert, customer: customer as CustomerKey, period }
}

function alertOf(row: Selectable<DatabaseTables['alerts']>): AlertRecord {
  return { ...(fromExactJson(row.alert) as Alert), ...recordTimesOf(row) }
}
