import { type Selectable, sql } from 'kysely'
import { invariant } from '../../../base/invariant.ts'
import { partName } from '../../../domain/billing/billing-inputs.ts'
import type { Money } from '../../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, Offset, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import type { Meter } from '../../../domain/metering/meter.ts'
import { parseInstantText } from '../../../domain/time/instant-text.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { exactJson, fromExactJson } from '../exact-json.ts'
import { keyAfter, listName, type Page, type PageRequest, pageOf } from '../page.ts'

/** Documents that were made final. */
export type InvoiceStore = {
  /** Sorts by the time that it was made, and of a subscription's at one time by their decisions; one by hand stands behind them. */
  createId(nowMs: InstantMs, decision: number | null): string
  append(tenant: TenantKey, invoices: readonly StoredInvoice[]): Promise<void>
  get(tenant: TenantKey, id: string): Promise<StoredInvoice | null>
  /** The same; its row stays locked until the transaction ends. */
  lock(tenant: TenantKey, id: string): Promise<StoredInvoice | null>
  list(tenant: TenantKey, filter: InvoiceFilter, page: PageRequest): Promise<Page<StoredInvoice>>
  /** The one decided last of a subscription, of those that were not taken back. */
  newest(tenant: TenantKey, subscription: SubscriptionId): Promise<StoredInvoice | null>
  /** Up to where in the log the parts of subscriptions were counted on final lines, by `partName`. */
  countedTo(tenant: TenantKey, subscriptions: readonly SubscriptionId[]): Promise<ReadonlyMap<string, Offset>>
  /** Credit notes that were asked for of a document, oldest first. */
  notesOf(tenant: TenantKey, id: string): Promise<readonly StoredInvoice[]>
  settle(tenant: TenantKey, id: string, to: Pick<StoredInvoice, 'status' | 'due' | 'paid'>): Promise<void>
  /** The end of a series; its row stays locked until the transaction ends, so it is asked for as late as can be. */
  lockSeries(tenant: TenantKey, series: string): Promise<SeriesEnd>
  moveSeries(tenant: TenantKey, series: string, to: SeriesEnd): Promise<void>
  /** Meters as they are now, kept for lines that count by them. */
  keepMeters(tenant: TenantKey, meters: readonly Meter[]): Promise<void>
  meter(tenant: TenantKey, key: string, revision: number): Promise<Meter | null>
}

export type InvoiceStatus = 'finalised' | 'paid' | 'nothingDue' | 'uncollectible' | 'void'

export type StoredInvoice = {
  readonly id: string
  readonly customer: CustomerKey
  readonly subscription: SubscriptionId | null
  /** The version that the subscription's cursor was moved to; null without one. */
  readonly decision: number | null
  readonly status: InvoiceStatus
  readonly currency: string
  readonly closesAtMs: InstantMs
  /** What is still due. */
  readonly due: Money
  readonly paid: Money
  /** Null without a number. */
  readonly numbered: Numbered | null
  /** As it was made final. */
  readonly record: Readonly<Record<string, unknown>>
  readonly undo: unknown
}

export type Numbered = {
  readonly series: string
  readonly sequence: number
  readonly contentHash: string
  readonly previousHash: string | null
}

/** 0 and null before the first. */
export type SeriesEnd = { readonly last: number; readonly lastHash: string | null }

export type InvoiceFilter = {
  readonly customer?: CustomerKey | undefined
  readonly subscription?: SubscriptionId | undefined
  readonly status?: InvoiceStatus | undefined
  /** Of what the document closes, half-open. */
  readonly fromMs?: InstantMs | undefined
  readonly toMs?: InstantMs | undefined
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    invoices: {
      tenant: string
      id: string
      customer: string
      subscription: string | null
      decision: number | null
      status: InvoiceStatus
      currency: string
      closes_at: Date
      due: string
      paid: string
      series: string | null
      sequence: number | null
      content_hash: string | null
      previous_hash: string | null
      record: Json<Readonly<Record<string, unknown>>>
      undo: Json<unknown>
    }
    number_series: { tenant: string; series: string; last: number; last_hash: string | null }
    billed_meters: { tenant: string; meter: string; revision: number; definition: Json<Meter> }
  }
}

export function sqlInvoiceStore(session: DatabaseSession): InvoiceStore {
  const find = (tenant: TenantKey, id: string, isLocked: boolean) =>
    session.run(async (db) => {
      const query = db.selectFrom('invoices').selectAll().where('tenant', '=', tenant).where('id', '=', id)
      const row = await (isLocked ? query.forUpdate() : query).executeTakeFirst()
      return row === undefined ? null : invoiceOf(row)
    })
  return {
    createId: (nowMs, decision) => {
      const time = nowMs.toString(36).padStart(9, '0')
      const place = decision === null ? 'zzzzz' : decision.toString(36).padStart(5, '0')
      return `inv_${time}${place}${Buffer.from(session.randomBytes(8)).toString('hex')}`
    },

    append: (tenant, invoices) =>
      session.run(async (db) => {
        if (invoices.length === 0) return
        await sql`
          INSERT INTO invoices (tenant, id, customer, subscription, decision, status, currency, closes_at, due, paid, series, sequence,
            content_hash, previous_hash, record, undo)
          SELECT ${tenant}::text, id, customer, subscription, decision, status, currency, closes_at, due, paid, series, sequence,
            content_hash, previous_hash, record, undo::jsonb
          FROM jsonb_to_recordset(${JSON.stringify(invoices.map(rowOf))}::jsonb) AS rows (
            id text, customer text, subscription text, decision integer, status text, currency text, closes_at timestamptz, due numeric,
            paid numeric, series text, sequence integer, content_hash text, previous_hash text, record jsonb, undo text)`.execute(db)
      }),

    get: (tenant, id) => find(tenant, id, false),
    lock: (tenant, id) => find(tenant, id, true),

    list: (tenant, { customer, subscription, status, fromMs, toMs }, page) =>
      session.run(async (db) => {
        const list = listName('invoices', { customer, subscription, status, fromMs, toMs })
        let query = db.selectFrom('invoices').selectAll().where('tenant', '=', tenant).where('id', '>', keyAfter(list, page))
        if (customer !== undefined) query = query.where('customer', '=', customer)
        if (subscription !== undefined) query = query.where('subscription', '=', subscription)
        if (status !== undefined) query = query.where('status', '=', status)
        if (fromMs !== undefined) query = query.where('closes_at', '>=', new Date(fromMs))
        if (toMs !== undefined) query = query.where('closes_at', '<', new Date(toMs))
        const rows = await query
          .orderBy('id')
          .limit(page.limit + 1)
          .execute()
        return pageOf(list, rows, page, ({ id }) => id, invoiceOf)
      }),

    newest: (tenant, subscription) =>
      session.run(async (db) => {
        const row = await db
          .selectFrom('invoices')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('subscription', '=', subscription)
          .where('decision', 'is not', null)
          .where('status', '<>', 'void')
          .orderBy('decision', 'desc')
          .limit(1)
          .executeTakeFirst()
        return row === undefined ? null : invoiceOf(row)
      }),

    countedTo: (tenant, subscriptions) =>
      session.run(async (db) => {
        const { rows } = await sql<{ subscription: string; start: string; counted_to: string }>`
          SELECT subscription, line ->> 'from' AS start, max((line -> 'trace' ->> 'offsetTo')::bigint)::text AS counted_to
          FROM invoices, jsonb_array_elements(record -> 'lines') AS line
          WHERE tenant = ${tenant} AND subscription = ANY(${[...subscriptions]}) AND status <> 'void' AND line ? 'trace'
          GROUP BY subscription, line ->> 'from'`.execute(db)
        return new Map(
          rows.map(({ subscription, start, counted_to }) => {
            const startMs = parseInstantText(start)
            invariant(startMs !== undefined, 'a line of a document begins at an instant')
            return [partName(subscription, startMs), Number(counted_to) as Offset]
          }),
        )
      }),

    notesOf: (tenant, id) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('invoices')
          .selectAll()
          .where('tenant', '=', tenant)
          .where(sql<string>`record ->> 'invoice'`, '=', id)
          .orderBy('id')
          .execute()
        return rows.map(invoiceOf)
      }),

    settle: (tenant, id, { status, due, paid }) =>
      session.run(async (db) => {
        const columns = { status, due: String(due), paid: String(paid) }
        await db.updateTable('invoices').set(columns).where('tenant', '=', tenant).where('id', '=', id).execute()
      }),

    lockSeries: (tenant, series) =>
      session.run(async (db) => {
        await db
          .insertInto('number_series')
          .values({ tenant, series, last: 0, last_hash: null })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
        const { last, last_hash } = await db
          .selectFrom('number_series')
          .select(['last', 'last_hash'])
          .where('tenant', '=', tenant)
          .where('series', '=', series)
          .forUpdate()
          .executeTakeFirstOrThrow()
        return { last, lastHash: last_hash }
      }),

    moveSeries: (tenant, series, { last, lastHash }) =>
      session.run(async (db) => {
        await db
          .updateTable('number_series')
          .set({ last, last_hash: lastHash })
          .where('tenant', '=', tenant)
          .where('series', '=', series)
          .execute()
      }),

    keepMeters: (tenant, meters) =>
      session.run(async (db) => {
        if (meters.length === 0) return
        await db
          .insertInto('billed_meters')
          .values(meters.map((meter) => ({ tenant, meter: meter.key, revision: meter.revision, definition: JSON.stringify(meter) })))
          .onConflict((conflict) => conflict.doNothing())
          .execute()
      }),

    meter: (tenant, key, revision) =>
      session.run(async (db) => {
        const row = await db
          .selectFrom('billed_meters')
          .select('definition')
          .where('tenant', '=', tenant)
          .where('meter', '=', key)
          .where('revision', '=', revision)
          .executeTakeFirst()
        return row?.definition ?? null
      }),
  }
}

function invoiceOf(row: Selectable<DatabaseTables['invoices']>): StoredInvoice {
  const { series, sequence, content_hash: contentHash, previous_hash: previousHash } = row
  return {
    ...{ id: row.id, customer: row.customer as CustomerKey, subscription: row.subscription as SubscriptionId | null },
    ...{ decision: row.decision, status: row.status, currency: row.currency, closesAtMs: row.closes_at.getTime() as InstantMs },
    ...{ due: BigInt(row.due) as Money, paid: BigInt(row.paid) as Money },
    numbered: series === null || sequence === null || contentHash === null ? null : { series, sequence, contentHash, previousHash },
    record: row.record,
    undo: fromExactJson(row.undo),
  }
}

function rowOf({ closesAtMs, due, paid, numbered, undo, ...invoice }: StoredInvoice) {
  return {
    ...invoice,
    closes_at: new Date(closesAtMs).toISOString(),
    ...{ due: String(due), paid: String(paid), undo: exactJson(undo) },
    ...(numbered !== null && {
      ...{ series: numbered.series, sequence: numbered.sequence },
      ...{ content_hash: numbered.contentHash, previous_hash: numbered.previousHash },
    }),
  }
}
