import { type Kysely, type Selectable, sql, type Transaction } from 'kysely'
import { invariant } from '../../../base/invariant.ts'
import type { BillingBook } from '../../../domain/billing/billing-book.ts'
import type { Subscription } from '../../../domain/catalog/subscription.ts'
import type { CustomerKey, InstantMs, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { customerPlaces } from '../customer-places.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { exactJson, fromExactJson } from '../exact-json.ts'

export type BillingCursorStore = {
  /** Tenants that have a subscription whose next document can be final. */
  tenantsDue(atMs: InstantMs): Promise<readonly TenantKey[]>
  /** Subscriptions whose next document can be final, in the order of customers' keys; of these customers alone if any are named. */
  due(
    tenant: TenantKey,
    atMs: InstantMs,
    of: { readonly customers?: readonly CustomerKey[]; readonly max: number },
  ): Promise<readonly DueSubscription[]>
  /** Versions of these cursors, whose rows stay locked until the transaction ends: in the order of ids, so that no two wait in a ring. */
  lock(tenant: TenantKey, subscriptions: readonly SubscriptionId[]): Promise<ReadonlyMap<SubscriptionId, number>>
  /** How far a subscription is billed, and what later documents count again. */
  book(tenant: TenantKey, subscription: SubscriptionId): Promise<BillingBook | null>
  /** Customers who have or had a subscription, in the order of their keys, from behind one on. */
  customers(tenant: TenantKey, after: string, max: number): Promise<readonly CustomerKey[]>
  /** Moves cursors by compare-and-set. Whoever holds their locks has seen that they stand where they are moved from. */
  move(tenant: TenantKey, moves: readonly CursorMove[]): Promise<void>
}

export type DueSubscription = { readonly customer: CustomerKey; readonly subscription: SubscriptionId }

export type CursorMove = {
  readonly subscription: SubscriptionId
  readonly fromVersion: number
  readonly to: BillingBook
  /** Null while nothing is to come. */
  readonly nextDueMs: InstantMs | null
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    billing_cursors: {
      tenant: string
      subscription: string
      customer: string
      base_billed_to: Date | null
      usage_billed_to: Date
      version: number
      next_due_at: Date | null
      billed: Json<unknown>
    }
  }
}

export function sqlBillingCursorStore(session: DatabaseSession): BillingCursorStore {
  return {
    tenantsDue: (atMs) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('billing_cursors')
          .select('tenant')
          .distinct()
          .where('next_due_at', '<=', new Date(atMs))
          .orderBy('tenant')
          .execute()
        return rows.map(({ tenant }) => tenant as TenantKey)
      }),

    due: (tenant, atMs, { customers, max }) =>
      session.run(async (db) => {
        let query = db
          .selectFrom('billing_cursors')
          .select(['customer', 'subscription'])
          .where('tenant', '=', tenant)
          .where('next_due_at', '<=', new Date(atMs))
        if (customers !== undefined) query = query.where('customer', '=', sql<string>`ANY(${[...customers]})`)
        const rows = await query.orderBy('customer').orderBy('subscription').limit(max).execute()
        return rows as { customer: CustomerKey; subscription: SubscriptionId }[]
      }),

    lock: (tenant, subscriptions) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('billing_cursors')
          .select(['subscription', 'version'])
          .where('tenant', '=', tenant)
          .where('subscription', '=', sql<string>`ANY(${[...subscriptions]})`)
          .orderBy('subscription')
          .forUpdate()
          .execute()
        return new Map(rows.map(({ subscription, version }) => [subscription as SubscriptionId, version]))
      }),

    customers: customerPlaces(session, 'billing_cursors'),

    book: (tenant, subscription) =>
      session.run(async (db) => {
        const row = await db
          .selectFrom('billing_cursors')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('subscription', '=', subscription)
          .executeTakeFirst()
        return row === undefined ? null : bookOf(row)
      }),

    move: (tenant, moves) =>
      session.run(async (db) => {
        if (moves.length === 0) return
        const rows = moves.map(({ subscription, fromVersion, to: { cursor, ...billed }, nextDueMs }) => ({
          ...{ subscription, from_version: fromVersion, version: cursor.version, billed: exactJson(billed) },
          base_billed_to: dateOf(cursor.baseBilledToMs),
          usage_billed_to: dateOf(cursor.usageBilledToMs),
          next_due_at: dateOf(nextDueMs),
        }))
        const moved = await sql<{ subscription: string }>`
          UPDATE billing_cursors AS cursors
          SET base_billed_to = moves.base_billed_to, usage_billed_to = moves.usage_billed_to, version = moves.version,
              next_due_at = moves.next_due_at, billed = moves.billed::jsonb
          FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS moves (
            subscription text, from_version integer, version integer, billed text,
            base_billed_to timestamptz, usage_billed_to timestamptz, next_due_at timestamptz)
          WHERE cursors.tenant = ${tenant} AND cursors.subscription = moves.subscription AND cursors.version = moves.from_version
          RETURNING cursors.subscription`.execute(db)
        invariant(moved.rows.length === moves.length, 'cursors are moved by who has locked them where they stand')
      }),
  }
}

function dateOf(ms: InstantMs | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}

export function bookOf({ base_billed_to, usage_billed_to, version, billed }: Selectable<DatabaseTables['billing_cursors']>): BillingBook {
  return {
    cursor: {
      baseBilledToMs: base_billed_to === null ? null : (base_billed_to.getTime() as InstantMs),
      usageBilledToMs: usage_billed_to.getTime() as InstantMs,
      version,
    },
    ...fromExactJson<Omit<BillingBook, 'cursor'>>(billed),
  }
}

/** A subscription that is made is due at its start. */
export async function insertCursors(db: Kysely<DatabaseTables>, tenant: TenantKey, subscriptions: readonly Subscription[]): Promise<void> {
  const billed = exactJson({ baseFees: [], parts: [], committed: null })
  await db
    .insertInto('billing_cursors')
    .values(
      subscriptions.map(({ id, customer, startMs }) => ({
        ...{ tenant, subscription: id, customer, base_billed_to: null, usage_billed_to: new Date(startMs) },
        ...{ version: 0, next_due_at: new Date(startMs), billed },
      })),
    )
    .execute()
}

/** A subscription that changed is looked at by the next run, and a run that has read it before decides nothing from that. */
export async function reconsiderCursor(
  db: Transaction<DatabaseTables>,
  tenant: TenantKey,
  id: SubscriptionId,
  nowMs: InstantMs,
): Promise<void> {
  await db
    .updateTable('billing_cursors')
    .set(({ eb }) => ({ version: eb('version', '+', 1), next_due_at: sql<Date>`LEAST(next_due_at, ${new Date(nowMs)}::timestamptz)` }))
    .where('tenant', '=', tenant)
    .where('subscription', '=', id)
    .execute()
}

/** A customer whose grace changed is looked at by the next run: its documents may be final at another instant now. */
export async function reconsiderCustomer(
  db: Transaction<DatabaseTables>,
  tenant: TenantKey,
  customer: CustomerKey,
  nowMs: InstantMs,
): Promise<void> {
  const now = new Date(nowMs)
  await db
    .updateTable('billing_cursors')
    .set({ next_due_at: now })
    .where('tenant', '=', tenant)
    .where('customer', '=', customer)
    .where('next_due_at', '>', now)
    .execute()
}
