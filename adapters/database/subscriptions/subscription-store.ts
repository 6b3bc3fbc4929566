import { type Kysely, type Selectable, sql } from 'kysely'
import type { PlanVersion } from '../../../domain/catalog/plan.ts'
import type { Subscription } from '../../../domain/catalog/subscription.ts'
import type { CustomerKey, InstantMs, PlanKey, SubscriptionId, TenantKey } from '../../../domain/identity.ts'
import { isRefusal, type Outcome, refuse, refuseField } from '../../../domain/refusal.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { keyAfter, type Page, type PageRequest, pageOf } from '../page.ts'
import { planVersionOf } from '../plans/plan-store.ts'
import { createRecordId } from '../record-id.ts'

export type SubscriptionStore = {
  /** Starts on the plan's latest version. Refuses `unknown_customer`, `unknown_plan`, `too_many_subscriptions`. */
  create(
    tenant: TenantKey,
    wanted: Pick<Subscription, 'customer' | 'startMs' | 'anchorMs' | 'timezone' | 'commitment' | 'coupons'> & { readonly plan: PlanKey },
  ): Promise<Outcome<Subscription>>
  get(tenant: TenantKey, id: SubscriptionId): Promise<Subscription | null>
  list(tenant: TenantKey, filter: { customer?: CustomerKey }, page: PageRequest): Promise<Page<Subscription>>
  /**
   * Replaces phases and end by the answer of `decide`, given the subscription and the plan versions of its phases; no other
   * change comes between. Null when there is no such subscription.
   */
  update(
    tenant: TenantKey,
    id: SubscriptionId,
    decide: (subscription: Subscription, planVersions: readonly PlanVersion[]) => Outcome<Subscription>,
  ): Promise<Outcome<Subscription | null>>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    subscriptions: {
      tenant: string
      id: string
      customer: string
      start_at: Date
      anchor_at: Date
      end_at: Date | null
      billing: Json<SubscriptionBilling>
    }
    subscription_phases: {
      tenant: string
      subscription: string
      position: number
      plan: string
      plan_version: number
      start_at: Date
      end_at: Date | null
      anchor_at: Date | null
      invoice_now: boolean
    }
  }
}

type SubscriptionBilling = Pick<Subscription, 'timezone' | 'commitment' | 'coupons' | 'endInvoiceNow'>

declare module '../changes.ts' {
  interface Topics {
    /** By customer. */
    subscriptions: CustomerKey
  }
}

/** Subscriptions of one customer that are not over: a balance adds them all up. */
export const OPEN_SUBSCRIPTIONS_MAX = 100

export function sqlSubscriptionStore(session: DatabaseSession): SubscriptionStore {
  return {
    create: (tenant, { customer, plan, startMs, anchorMs, ...billing }) =>
      session.write(async ({ db, announce }) => {
        const owner = await db
          .selectFrom('customers')
          .select('key')
          .where('tenant', '=', tenant)
          .where('key', '=', customer)
          .forNoKeyUpdate()
          .executeTakeFirst()
        if (owner === undefined) return refuseField('customer', refuse('unknown_customer', { customer }))
        const version = await db
          .selectFrom('plans')
          .select('latest_version')
          .where('tenant', '=', tenant)
          .where('key', '=', plan)
          .executeTakeFirst()
        if (version === undefined) return refuseField('plan', refuse('unknown_plan', { plan }))
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
        const subscription: Subscription = {
          id: createRecordId('sub', nowMs, session.randomBytes) as SubscriptionId,
          customer,
          startMs,
          anchorMs,
          endMs: null,
          ...billing,
          phases: [{ plan, planVersion: version.latest_version, startMs, endMs: null }],
        }
        await db
          .insertInto('subscriptions')
          .values({
            ...{ tenant, id: subscription.id, customer, start_at: new Date(startMs), anchor_at: new Date(anchorMs), end_at: null },
            billing: billingOf(subscription),
          })
          .execute()
        await insertPhases(db, tenant, subscription)
        announce({ tenant, topic: 'subscriptions', key: customer })
        return subscription
      }),

    get: (tenant, id) =>
      session.snapshot(async (db) => {
        const row = await db.selectFrom('subscriptions').selectAll().where('tenant', '=', tenant).where('id', '=', id).executeTakeFirst()
        return row === undefined ? null : ((await withPhases(db, tenant, [row]))[0] ?? null)
      }),

    list: (tenant, filter, page) =>
      session.snapshot(async (db) => {
        let query = db.selectFrom('subscriptions').selectAll().where('tenant', '=', tenant).where('id', '>', keyAfter(page))
        if (filter.customer !== undefined) query = query.where('customer', '=', filter.customer)
        const rows = await query
          .orderBy('id')
          .limit(page.limit + 1)
          .execute()
        return pageOf(
          await withPhases(db, tenant, rows),
          page,
          ({ id }) => id,
          (subscription) => subscription,
        )
      }),

    update: (tenant, id, decide) =>
      session.write(async ({ db, announce }) => {
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
        const decided = subscriptions.map((subscription) => decide(subscription, planVersions))[0] ?? null
        if (decided === null || isRefusal(decided)) return decided
        const end_at = decided.endMs === null ? null : new Date(decided.endMs)
        await db
          .updateTable('subscriptions')
          .set({ end_at, billing: billingOf(decided) })
          .where('tenant', '=', tenant)
          .where('id', '=', id)
          .execute()
        await db.deleteFrom('subscription_phases').where('tenant', '=', tenant).where('subscription', '=', id).execute()
        await insertPhases(db, tenant, decided)
        announce({ tenant, topic: 'subscriptions', key: decided.customer })
        return decided
      }),
  }
}

type SubscriptionRow = Selectable<DatabaseTables['subscriptions']>

export async function withPhases(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  rows: readonly SubscriptionRow[],
): Promise<readonly Subscription[]> {
  const phases = await db
    .selectFrom('subscription_phases')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('subscription', '=', sql<string>`ANY(${rows.map(({ id }) => id)})`)
    .orderBy('subscription')
    .orderBy('position')
    .execute()
  const bySubscription = Map.groupBy(phases, ({ subscription }) => subscription)
  return rows.map((row) => ({
    id: row.id as SubscriptionId,
    customer: row.customer as CustomerKey,
    startMs: instantOf(row.start_at),
    anchorMs: instantOf(row.anchor_at),
    endMs: row.end_at === null ? null : instantOf(row.end_at),
    ...row.billing,
    phases: (bySubscription.get(row.id) ?? []).map((phase) => ({
      plan: phase.plan as PlanKey,
      planVersion: phase.plan_version,
      startMs: instantOf(phase.start_at),
      endMs: phase.end_at === null ? null : instantOf(phase.end_at),
      ...(phase.anchor_at !== null && { anchorMs: instantOf(phase.anchor_at) }),
      ...(phase.invoice_now && { invoiceNow: true }),
    })),
  }))
}

/** Every version that a phase of these names. */
export async function planVersionsOf(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  subscriptions: readonly Subscription[],
): Promise<readonly PlanVersion[]> {
  // Many subscriptions share few versions.
  const phases = [
    ...new Map(subscriptions.flatMap(({ phases }) => phases.map((phase) => [`${phase.planVersion} ${phase.plan}`, phase]))).values(),
  ]
  const rows = await db
    .selectFrom('plan_versions')
    .selectAll('plan_versions')
    .where('tenant', '=', tenant)
    .where(
      sql<boolean>`(plan, version) IN (SELECT * FROM unnest(${phases.map(({ plan }) => plan)}::text[], ${phases.map(({ planVersion }) => planVersion)}::integer[]))`,
    )
    .execute()
  return rows.map(planVersionOf)
}

async function insertPhases(db: Kysely<DatabaseTables>, tenant: TenantKey, { id, phases }: Subscription): Promise<void> {
  const rows = phases.map((phase, position) => ({
    tenant,
    subscription: id,
    position,
    plan: phase.plan,
    plan_version: phase.planVersion,
    start_at: new Date(phase.startMs),
    end_at: phase.endMs === null ? null : new Date(phase.endMs),
    anchor_at: phase.anchorMs === undefined ? null : new Date(phase.anchorMs),
    invoice_now: phase.invoiceNow ?? false,
  }))
  await db.insertInto('subscription_phases').values(rows).execute()
}

function billingOf({ timezone, commitment, coupons, endInvoiceNow }: Subscription): string {
  return JSON.stringify({ timezone, commitment, coupons, endInvoiceNow })
}

function instantOf(date: Date): InstantMs {
  return date.getTime() as InstantMs
}
