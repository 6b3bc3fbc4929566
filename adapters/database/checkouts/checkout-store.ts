import type { Selectable } from 'kysely'
import type { InstantMs, PlanKey, TenantKey } from '../../../domain/identity.ts'
import type { Checkout, CheckoutAsk, CheckoutStatus } from '../../../domain/selling/checkout.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { exactJson, fromExactJson } from '../exact-json.ts'

/** Checkouts are found by their id alone, which is random: the page has no key that names a tenant. */
export type CheckoutStore = {
  /** 128 random bits. */
  createId(): string
  create(tenant: TenantKey, checkout: Checkout): Promise<void>
  find(id: string): Promise<TenantCheckout | null>
  /** The same; its row stays locked until the transaction ends. */
  lock(id: string): Promise<TenantCheckout | null>
  save(checkout: Checkout): Promise<void>
  /** Those whose time is over, of every tenant, oldest first; their rows are locked, and rows that others hold are left out. */
  lockExpired(nowMs: InstantMs, limit: number): Promise<readonly TenantCheckout[]>
}

export type TenantCheckout = Checkout & { readonly tenant: TenantKey }

declare module '../database-session.ts' {
  interface DatabaseTables {
    checkouts: {
      id: string
      tenant: string
      status: CheckoutStatus
      plan: string
      plan_version: number
      asked: Json<CheckoutAsk>
      decided: Json<unknown> | null
      browser: string | null
      order_id: string | null
      created_at: Date
      expires_at: Date
      completed_at: Date | null
    }
  }
}

export function sqlCheckoutStore(session: DatabaseSession): CheckoutStore {
  const read = (id: string, isLocked: boolean) =>
    session.run(async (db) => {
      const query = db.selectFrom('checkouts').selectAll().where('id', '=', id)
      const row = await (isLocked ? query.forUpdate() : query).executeTakeFirst()
      return row === undefined ? null : checkoutOf(row)
    })
  return {
    createId: () => `co_${Buffer.from(session.randomBytes(16)).toString('hex')}`,
    find: (id) => read(id, false),
    lock: (id) => read(id, true),

    create: (tenant, { id, plan, planVersion, createdMs, ...checkout }) =>
      session.run(async (db) => {
        const fixed = { id, tenant, plan, plan_version: planVersion, created_at: new Date(createdMs) }
        await db
          .insertInto('checkouts')
          .values({ ...fixed, ...columnsOf(checkout) })
          .execute()
      }),

    save: ({ id, ...checkout }) =>
      session.run(async (db) => {
        await db.updateTable('checkouts').set(columnsOf(checkout)).where('id', '=', id).execute()
      }),

    lockExpired: (nowMs, limit) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('checkouts')
          .selectAll()
          .where('status', 'in', ['open', 'processing'])
          .where('expires_at', '<=', new Date(nowMs))
          .orderBy('expires_at')
          .limit(limit)
          .forUpdate()
          .skipLocked()
          .execute()
        return rows.map(checkoutOf)
      }),
  }
}

type Changing = Pick<Checkout, 'status' | 'asked' | 'decided' | 'browser' | 'order' | 'expiresMs' | 'completedMs'>

function columnsOf({ status, asked, decided, browser, order, expiresMs, completedMs }: Changing) {
  return {
    ...{ status, asked: JSON.stringify(asked), decided: decided === null ? null : exactJson(decided), browser, order_id: order },
    expires_at: new Date(expiresMs),
    completed_at: completedMs === null ? null : new Date(completedMs),
  }
}

function checkoutOf(row: Selectable<DatabaseTables['checkouts']>): TenantCheckout {
  return {
    ...{ id: row.id, tenant: row.tenant as TenantKey, status: row.status, plan: row.plan as PlanKey, planVersion: row.plan_version },
    ...{ asked: row.asked, decided: row.decided === null ? null : fromExactJson(row.decided), browser: row.browser, order: row.order_id },
    ...{ createdMs: row.created_at.getTime() as InstantMs, expiresMs: row.expires_at.getTime() as InstantMs },
    completedMs: row.completed_at === null ? null : (row.completed_at.getTime() as InstantMs),
  }
}
