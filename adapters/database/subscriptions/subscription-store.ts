import type { Transaction } from 'kysely'
import { invariant } from '../../../base/invariant.ts'
import { CATALOG_BOUNDS } from '../../../domain/catalog/catalog-bounds.ts'
import type { PlanVersion } from '../../../domain/catalog/plan.ts'
import { addedStretches, productStretches } from '../../../domain/catalog/product-stretches.ts'
import { type Subscription, startOfSecond } from '../../../domain/catalog/subscription.ts'
import { sameOrRefused, type WantedSubscription } from '../../../domain/catalog/wanted-subscription.ts'
import type { CustomerKey, ProductKey, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { isRefusal, type Outcome, type Refusal, refuse, refuseField } from '../../../domain/refusal.ts'
import { refuseArchived } from '../archiver.ts'
import { insertCursors, reconsiderCursor } from '../billing-cursors/billing-cursor-store.ts'
import { attachCoupons, takeCoupons } from '../coupons/coupon-store.ts'
import type { DatabaseSession, DatabaseTables } from '../database-session.ts'
import { sqlOutboxStore } from '../outbox/outbox-store.ts'
import { keyAfter, listName, type Page, type PageRequest, pageOf } from '../page.ts'
import type { PutResult } from '../put-result.ts'
import { createRecordId } from '../record-id.ts'
import { createSubscriptions } from './create-subscriptions.ts'
import { refuseSecondToProduct, startAfterOthers } from './one-per-product.ts'
import { subscriptionMessage } from './subscription-message.ts'
import { billingOf, insertPhases, planVersionsOf, selectSubscription, withPhases } from './subscription-rows.ts'

export type SubscriptionStore = {
  /**
   * Starts on the plan's latest version, at the beginning of the second. An existing id answers its subscription if it was
   * created with the same input. Refuses `unknown_customer`, `unknown_plan`, `already_subscribed`, `subscription_id_taken`,
   * `too_many_subscriptions`.
   */
  create(tenant: TenantKey, wanted: WantedSubscription): Promise<Outcome<Subscription>>
  /** Creates each for itself, in order, in one transaction; an existing one is `same`. */
  createAll(
    tenant: TenantKey,
    wanted: readonly (WantedSubscription & { readonly id: SubscriptionId })[],
  ): Promise<readonly Outcome<PutResult<Subscription>>[]>
  get(tenant: TenantKey, id: SubscriptionId): Promise<Subscription | null>
  list(tenant: TenantKey, filter: { customer?: CustomerKey }, page: PageRequest): Promise<Page<Subscription>>
  /**
   * Replaces phases and end by the answer of `decide`, given the subscription and the plan versions of its phases; no other
   * change comes between. Refuses `already_subscribed` like `create`. Null when there is no such subscription.
   */
  update(
    tenant: TenantKey,
    id: SubscriptionId,
    decide: (subscription: Subscription, planVersions: readonly PlanVersion[]) => Outcome<Subscription>,
  ): Promise<Outcome<Subscription | null>>
}

declare module '../changes.ts' {
  interface Topics {
    /** By customer. */
    subscriptions: CustomerKey
  }
}

/** Subscriptions of one customer that are not over: a balance adds them all up. */
const OPEN_SUBSCRIPTIONS_MAX = CATALOG_BOUNDS.openSubscriptions.most

export function sqlSubscriptionStore(session: DatabaseSession): SubscriptionStore {
  return {
    create: (tenant, { id, customer, plan, allowsSeveral, priceOverrides, ...wanted }) =>
      session.write(async (trx) => {
        const { db, announce } = trx
        const asked = { ...wanted, ...(priceOverrides !== undefined && { priceOverrides }) }
        const owner = await db
          .selectFrom('customers')
          .select(['archived_at', 'billing'])
          .where('tenant', '=', tenant)
          .where('key', '=', customer)
          .forNoKeyUpdate()
          .executeTakeFirst()
        if (owner === undefined) return refuseField('customer', refuse('unknown_customer', { customer }))
        const existing = id === undefined ? null : await selectSubscription(db, tenant, id)
        if (existing !== null) return sameOrRefused(existing, { customer, plan, ...asked })
        const { startMs: givenStartMs, anchorMs: givenAnchorMs, timezone = owner.billing.timezone, ...terms } = wanted
        // The subscription keeps the customer's zone of now, so that no later change of the customer moves its periods.
        const billing = { ...terms, ...(timezone !== undefined && { timezone }) }
        const archivedOwner = refuseArchived('customer', customer, owner.archived_at)
        if (archivedOwner !== null) return refuseField('customer', archivedOwner)
        const version = await db
          .selectFrom('plans')
          .innerJoin('plan_versions', (join) =>
            join
              .onRef('plan_versions.tenant', '=', 'plans.tenant')
              .onRef('plan_versions.plan', '=', 'plans.key')
              .onRef('plan_versions.version', '=', 'plans.latest_version'),
          )
          .innerJoin('products', (join) =>
            join.onRef('products.tenant', '=', 'plans.tenant').onRef('products.key', '=', 'plan_versions.product'),
          )
          .select(['plan_versions.version', 'plan_versions.product', 'plans.archived_at', 'products.archived_at as product_archived_at'])
          .where('plans.tenant', '=', tenant)
          .where('plans.key', '=', plan)
          .executeTakeFirst()
        if (version === undefined) return refuseField('plan', refuse('unknown_plan', { plan }))
        const archivedPlan =
          refuseArchived('plan', plan, version.archived_at) ?? refuseArchived('product', version.product, version.product_archived_at)
        if (archivedPlan !== null) return refuseField('plan', archivedPlan)
        const nowMs = session.clock.now()
        const { open } = await db
          .selectFrom('subscriptions')
          .select(({ fn }) => fn.countAll<string | number>().as('open'))
          .where('tenant', '=', tenant)
          .where('customer', '=', customer)
          .where(({ eb }) => eb.or([eb('end_at', 'is', null), eb('end_at', '>', new Date(nowMs))]))
          .executeTakeFirstOrThrow()
        if (Number(open) >= OPEN_SUBSCRIPTIONS_MAX) {
          return refuse('too_many_subscriptions', { customer, open: Number(open), openMax: OPEN_SUBSCRIPTIONS_MAX })
        }
        const product = version.product as ProductKey
        const wantedMs = givenStartMs ?? nowMs
        const startMs = await startAfterOthers(db, { tenant, customer, product }, { secondMs: startOfSecond(wantedMs), wantedMs })
        const anchorMs = givenAnchorMs ?? startMs
        const taken = await takeCoupons(db, tenant, billing.coupons ?? [], nowMs)
        if (taken !== null) return taken
        const subscription: Subscription = {
          id: id ?? (createRecordId('sub', nowMs, session.randomBytes) as SubscriptionId),
          customer,
          startMs,
          anchorMs,
          endMs: null,
          ...billing,
          phases: [{ plan, planVersion: version.version, startMs, endMs: null, ...(priceOverrides !== undefined && { priceOverrides }) }],
        }
        if (allowsSeveral !== true) {
          const stretches = productStretches(subscription, [{ plan, ...version, product }], nowMs)
          const second = await refuseSecondToProduct(db, { tenant, customer, except: subscription.id }, stretches)
          if (second !== null) return second
        }
        const inserted = await db
          .insertInto('subscriptions')
          .values({
            ...{ tenant, id: subscription.id, customer, start_at: new Date(startMs), anchor_at: new Date(anchorMs), end_at: null },
            billing: billingOf(subscription),
            allows_several: allowsSeveral,
          })
          .onConflict((conflict) => conflict.doNothing())
          .returning('id')
          .executeTakeFirst()
        if (inserted === undefined) {
          // Another customer has taken the id at the same time.
          const other = await selectSubscription(db, tenant, subscription.id)
          invariant(other !== null, 'a subscription stands in the way of one with its id')
          return sameOrRefused(other, { customer, plan, ...asked })
        }
        await insertPhases(db, tenant, [subscription])
        await insertCursors(db, tenant, [subscription])
        await attachCoupons(db, tenant, subscription)
        await sqlOutboxStore(trx).append(tenant, [subscriptionMessage(null, subscription, nowMs)])
        announce({ tenant, topic: 'subscriptions', key: customer })
        return subscription
      }),

    createAll: (tenant, wanted) => createSubscriptions(session, tenant, wanted, sqlSubscriptionStore),

    get: (tenant, id) => session.snapshot((db) => selectSubscription(db, tenant, id)),

    list: (tenant, filter, page) =>
      session.snapshot(async (db) => {
        const list = listName('subscriptions', filter)
        let query = db.selectFrom('subscriptions').selectAll().where('tenant', '=', tenant).where('id', '>', keyAfter(list, page))
        if (filter.customer !== undefined) query = query.where('customer', '=', filter.customer)
        const rows = await query
          .orderBy('id')
          .limit(page.limit + 1)
          .execute()
        return pageOf(
          list,
          await withPhases(db, tenant, rows),
          page,
          ({ id }) => id,
          (subscription) => subscription,
        )
      }),

    update: (tenant, id, decide) =>
      session.write(async (trx) => {
        const { db, announce } = trx
        const row = await db
          .selectFrom('subscriptions')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('id', '=', id)
          .forUpdate()
          .executeTakeFirst()
        if (row === undefined) return null
        const subscriptions = await withPhases(db, tenant, [row])
        const planVersions = await planVersionsOf(db, tenant, subscriptions)
        const [before] = subscriptions
        invariant(before !== undefined, 'a row is a subscription')
        const decided = decide(before, planVersions)
        if (isRefusal(decided)) return decided
        const second = row.allows_several ? null : await refuseSecondAfterChange(db, tenant, subscriptions, decided)
        if (second !== null) return second
        const end_at = decided.endMs === null ? null : new Date(decided.endMs)
        await db
          .updateTable('subscriptions')
          .set({ end_at, billing: billingOf(decided) })
          .where('tenant', '=', tenant)
          .where('id', '=', id)
          .execute()
        await db.deleteFrom('subscription_phases').where('tenant', '=', tenant).where('subscription', '=', id).execute()
        await insertPhases(db, tenant, [decided])
        const nowMs = session.clock.now()
        await reconsiderCursor(db, tenant, id, nowMs)
        await sqlOutboxStore(trx).append(tenant, [subscriptionMessage(before, decided, nowMs)])
        announce({ tenant, topic: 'subscriptions', key: decided.customer })
        return decided
      }),
  }
}

/** Refuses only when the change gives a product at a time at which the subscription did not give it: existing overlaps can still be cancelled. */
async function refuseSecondAfterChange(
  db: Transaction<DatabaseTables>,
  tenant: TenantKey,
  [before]: readonly Subscription[],
  after: Subscription,
): Promise<Refusal | null> {
  if (before === undefined) return null
  const planVersions = await planVersionsOf(db, tenant, [before, after])
  const [given, wanted] = [before, after].map((each) => productStretches(each, planVersions, each.startMs))
  const added = addedStretches(given ?? [], wanted ?? [])
  if (added.length === 0) return null
  const { customer, id } = after
  await db.selectFrom('customers').select('key').where('tenant', '=', tenant).where('key', '=', customer).forNoKeyUpdate().execute()
  return await refuseSecondToProduct(db, { tenant, customer, except: id }, added)
}
