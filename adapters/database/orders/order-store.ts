import type { Kysely, Selectable } from 'kysely'
import type { Money } from '../../../domain/billing/money.ts'
import type { Subscription } from '../../../domain/catalog/subscription.ts'
import type { CustomerKey, InstantMs, PlanKey, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import type { Order, OrderStatus } from '../../../domain/selling/order.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { byCustomer, rowsOfCustomers } from '../entitlements/rows-of-customers.ts'
import { keyAfter, listName, type Page, type PageRequest, pageOf } from '../page.ts'
import { createRecordId } from '../record-id.ts'

export type OrderStore = {
  createId(nowMs: InstantMs): string
  create(tenant: TenantKey, order: Order): Promise<void>
  get(tenant: TenantKey, id: string): Promise<Order | null>
  /** The same; its row stays locked until the transaction ends. */
  lock(tenant: TenantKey, id: string): Promise<Order | null>
  ofInvoice(tenant: TenantKey, invoice: string): Promise<Order | null>
  save(tenant: TenantKey, order: Order): Promise<void>
  list(tenant: TenantKey, filter: { readonly customer?: CustomerKey | undefined }, page: PageRequest): Promise<Page<Order>>
  /** A customer's orders of a plan that were paid and not given back. */
  heldOf(tenant: TenantKey, customer: CustomerKey, plan: PlanKey): Promise<readonly Order[]>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    orders: {
      tenant: string
      id: string
      customer: string
      plan: string
      plan_version: number
      quantity: number
      currency: string
      status: OrderStatus
      invoice: string | null
      checkout: string | null
      /** numeric: decimal text. */
      paid: string
      refunded: string
      is_disputed: boolean
      metadata: Json<Readonly<Record<string, unknown>>>
      created_at: Date
      paid_at: Date | null
      start_at: Date | null
      end_at: Date | null
    }
  }
}

export function sqlOrderStore(session: DatabaseSession): OrderStore {
  const find = (tenant: TenantKey, column: 'id' | 'invoice', value: string, isLocked: boolean) =>
    session.run(async (db) => {
      const query = db.selectFrom('orders').selectAll().where('tenant', '=', tenant).where(column, '=', value)
      const row = await (isLocked ? query.forUpdate() : query).executeTakeFirst()
      return row === undefined ? null : orderOf(row)
    })
  return {
    createId: (nowMs) => createRecordId('ord', nowMs, session.randomBytes),
    get: (tenant, id) => find(tenant, 'id', id, false),
    lock: (tenant, id) => find(tenant, 'id', id, true),
    ofInvoice: (tenant, invoice) => find(tenant, 'invoice', invoice, false),

    create: (tenant, order) =>
      session.write(async ({ db, announce }) => {
        const { id, customer, plan, planVersion, checkout, currency, createdMs, metadata } = order
        const fixed = { tenant, id, customer, plan, plan_version: planVersion, checkout, currency, created_at: new Date(createdMs) }
        await db
          .insertInto('orders')
          .values({ ...fixed, metadata: JSON.stringify(metadata), ...columnsOf(order) })
          .execute()
        announce({ tenant, topic: 'subscriptions', key: customer })
      }),

    save: (tenant, order) =>
      session.write(async ({ db, announce }) => {
        await db.updateTable('orders').set(columnsOf(order)).where('tenant', '=', tenant).where('id', '=', order.id).execute()
        announce({ tenant, topic: 'subscriptions', key: order.customer })
      }),

    list: (tenant, { customer }, page) =>
      session.run(async (db) => {
        const list = listName('orders', { customer })
        const all = db.selectFrom('orders').selectAll().where('tenant', '=', tenant).where('id', '>', keyAfter(list, page))
        const rows = await (customer === undefined ? all : all.where('customer', '=', customer))
          .orderBy('id')
          .limit(page.limit + 1)
          .execute()
        return pageOf(list, rows, page, ({ id }) => id, orderOf)
      }),

    heldOf: (tenant, customer, plan) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('orders')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('customer', '=', customer)
          .where('plan', '=', plan)
          .where('status', 'in', ['paid', 'partiallyRefunded', 'disputed'])
          .orderBy('id')
          .execute()
        return rows.map(orderOf)
      }),
  }
}

/** Orders give entitlements as a subscription of one phase does, from their payment to the end of their term. Without charges it bills nothing. */
export async function orderTermsOf(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  customers: readonly CustomerKey[],
): Promise<ReadonlyMap<CustomerKey, readonly Subscription[]>> {
  const rows = await rowsOfCustomers(db, 'orders', { tenant, customers, orderBy: ['id'] })
  return byCustomer(
    rows.filter(({ start_at }) => start_at !== null),
    termOf,
  )
}

function termOf(row: Selectable<DatabaseTables['orders']>): Subscription {
  const startMs = (row.start_at?.getTime() ?? 0) as InstantMs
  const endMs = row.end_at === null ? null : (row.end_at.getTime() as InstantMs)
  const phase = { plan: row.plan as PlanKey, planVersion: row.plan_version, startMs, endMs, quantity: row.quantity }
  return { id: row.id as SubscriptionId, customer: row.customer as CustomerKey, startMs, anchorMs: startMs, endMs, phases: [phase] }
}

function columnsOf({ quantity, status, invoice, paid, refunded, isDisputed, paidMs, startMs, endMs }: Order) {
  const date = (ms: InstantMs | null) => (ms === null ? null : new Date(ms))
  return {
    ...{ quantity, status, invoice, paid: String(paid), refunded: String(refunded), is_disputed: isDisputed },
    ...{ paid_at: date(paidMs), start_at: date(startMs), end_at: date(endMs) },
  }
}

function orderOf(row: Selectable<DatabaseTables['orders']>): Order {
  const instant = (date: Date | null) => (date === null ? null : (date.getTime() as InstantMs))
  return {
    ...{ id: row.id, customer: row.customer as CustomerKey, plan: row.plan as PlanKey, planVersion: row.plan_version },
    ...{ quantity: row.quantity, currency: row.currency, status: row.status, invoice: row.invoice, checkout: row.checkout },
    ...{ paid: BigInt(row.paid) as Money, refunded: BigInt(row.refunded) as Money, isDisputed: row.is_disputed, metadata: row.metadata },
    ...{ createdMs: row.created_at.getTime() as InstantMs, paidMs: instant(row.paid_at) },
    ...{ startMs: instant(row.start_at), endMs: instant(row.end_at) },
  }
}
