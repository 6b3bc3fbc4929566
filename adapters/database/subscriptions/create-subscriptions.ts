import { sql, type Transaction } from 'kysely'
import { type Subscription, startOfSecond } from '../../../domain/catalog/subscription.ts'
import { sameOrRefused, type WantedSubscription } from '../../../domain/catalog/wanted-subscription.ts'
import type { CustomerKey, PlanKey, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { isRefusal, type Outcome } from '../../../domain/refusal.ts'
import { insertCursors } from '../billing-cursors/billing-cursor-store.ts'
import type { DatabaseSession, DatabaseTables, DatabaseTransaction } from '../database-session.ts'
import { sqlOutboxStore } from '../outbox/outbox-store.ts'
import type { PutResult } from '../put-result.ts'
import { subscriptionMessage } from './subscription-message.ts'
import { billingOf, insertPhases, withPhases } from './subscription-rows.ts'

type Wanted = WantedSubscription & { readonly id: SubscriptionId }
type Made = Outcome<PutResult<Subscription>>

/**
 * Those that need no look at other subscriptions, which is nearly all of an import, are written by a few statements together; the
 * others go through the store one by one. `open` makes the store on the transaction.
 */
export function createSubscriptions(
  session: DatabaseSession,
  tenant: TenantKey,
  wanted: readonly Wanted[],
  open: (session: DatabaseSession) => { create(tenant: TenantKey, wanted: Wanted): Promise<Outcome<Subscription>> },
): Promise<readonly Made[]> {
  return session.write(async (trx) => {
    const made = await selectByIds(trx.db, tenant, wanted)
    const firsts = await readFirsts(
      trx,
      tenant,
      wanted.filter(({ id }) => !made.has(id)),
    )
    const inserted = await insertFirsts(trx, tenant, [...firsts.values()])
    const store = open(trx)
    const outcomes: Made[] = []
    for (const each of wanted) {
      const before = made.get(each.id)
      const first = before === undefined && inserted.has(each.id) ? firsts.get(each.id) : undefined
      const subscription = before === undefined ? (first ?? (await store.create(tenant, each))) : sameOrRefused(before, each)
      if (isRefusal(subscription)) outcomes.push(subscription)
      else outcomes.push({ value: subscription, result: before === undefined ? 'created' : 'same' })
      // A later line with this id is a repeat.
      if (!isRefusal(subscription)) made.set(each.id, subscription)
    }
    return outcomes
  })
}

async function selectByIds(db: Transaction<DatabaseTables>, tenant: TenantKey, wanted: readonly Wanted[]) {
  const rows = await db
    .selectFrom('subscriptions')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('id', '=', sql<string>`ANY(${wanted.map(({ id }) => id)})`)
    .execute()
  return new Map((await withPhases(db, tenant, rows)).map((subscription) => [subscription.id, subscription]))
}

/** The first subscription of a customer in use to a plan in use, without coupons, by id. Customers stay locked. */
async function readFirsts(
  { db, clock }: DatabaseTransaction,
  tenant: TenantKey,
  wanted: readonly Wanted[],
): Promise<Map<SubscriptionId, Subscription>> {
  const customers = [...new Set(wanted.map(({ customer }) => customer))]
  const locked = await sql<{ key: CustomerKey; timezone: string | null; archived_at: Date | null }>`
    SELECT key, billing->>'timezone' AS timezone, archived_at FROM customers
    WHERE tenant = ${tenant} AND key = ANY(${customers}) ORDER BY key FOR NO KEY UPDATE`.execute(db)
  // Read when the customers are locked, so that no other first subscription comes in between.
  const subscribed = await sql<{ customer: CustomerKey }>`
    SELECT DISTINCT customer FROM subscriptions WHERE tenant = ${tenant} AND customer = ANY(${customers})`.execute(db)
  const others = new Set(subscribed.rows.map(({ customer }) => customer))
  const owners = new Map(
    locked.rows.filter(({ key, archived_at }) => archived_at === null && !others.has(key)).map((row) => [row.key, row]),
  )
  const versions = await versionsInUse(
    db,
    tenant,
    wanted.map(({ plan }) => plan),
  )
  const nowMs = clock.now()
  const firsts = new Map<SubscriptionId, Subscription>()
  for (const { id, customer, plan, allowsSeveral, startMs: givenStartMs, anchorMs, priceOverrides, ...terms } of wanted) {
    const owner = owners.get(customer)
    const planVersion = versions.get(plan)
    // A second one of this batch is no first one any more.
    owners.delete(customer)
    const isPlain = allowsSeveral !== true && terms.coupons === undefined && !firsts.has(id)
    if (!isPlain || owner === undefined || planVersion === undefined) continue
    const startMs = startOfSecond(givenStartMs ?? nowMs)
    const timezone = terms.timezone ?? owner.timezone ?? undefined
    firsts.set(id, {
      ...{ id, customer, startMs, anchorMs: anchorMs ?? startMs, endMs: null, ...terms, ...(timezone !== undefined && { timezone }) },
      phases: [{ plan, planVersion, startMs, endMs: null, ...(priceOverrides !== undefined && { priceOverrides }) }],
    })
  }
  return firsts
}

async function versionsInUse(
  db: Transaction<DatabaseTables>,
  tenant: TenantKey,
  plans: readonly PlanKey[],
): Promise<ReadonlyMap<PlanKey, number>> {
  const { rows } = await sql<{ key: PlanKey; version: number }>`
    SELECT plans.key, versions.version FROM plans
    JOIN plan_versions AS versions ON versions.tenant = plans.tenant AND versions.plan = plans.key AND versions.version = plans.latest_version
    JOIN products ON products.tenant = plans.tenant AND products.key = versions.product
    WHERE plans.tenant = ${tenant} AND plans.key = ANY(${[...new Set(plans)]}) AND plans.archived_at IS NULL AND products.archived_at IS NULL`.execute(
    db,
  )
  return new Map(rows.map(({ key, version }) => [key, version]))
}

/** The ids of those that were written. */
async function insertFirsts(
  trx: DatabaseTransaction,
  tenant: TenantKey,
  subscriptions: readonly Subscription[],
): Promise<Set<SubscriptionId>> {
  if (subscriptions.length === 0) return new Set()
  const { db, announce, clock } = trx
  const rows = subscriptions.map((subscription) => {
    const { id, customer, startMs, anchorMs } = subscription
    const span = { start_at: new Date(startMs), anchor_at: new Date(anchorMs), end_at: null }
    return { tenant, id, customer, ...span, billing: billingOf(subscription) }
  })
  const written = await db
    .insertInto('subscriptions')
    .values(rows)
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .execute()
  // An id that another transaction has taken at this moment is left to the store.
  const ids = new Set(written.map(({ id }) => id as SubscriptionId))
  const inserted = subscriptions.filter(({ id }) => ids.has(id))
  await insertPhases(db, tenant, inserted)
  await insertCursors(db, tenant, inserted)
  const messages = inserted.map((subscription) => subscriptionMessage(null, subscription, clock.now()))
  await sqlOutboxStore(trx).append(tenant, messages)
  for (const { customer } of inserted) announce({ tenant, topic: 'subscriptions', key: customer })
  return ids
}
