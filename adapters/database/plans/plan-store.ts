import { type Kysely, type Selectable, sql } from 'kysely'
import type { Charge, Entitlement, PlanVersion } from '../../../domain/catalog/plan.ts'
import type { PlanKey, ProductKey, TenantKey } from '../../../domain/identity.ts'
import { type Outcome, type Refusal, refuse, refuseField, refuseFields } from '../../../domain/refusal.ts'
import type { PlanInterval } from '../../../domain/time/intervals.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { keyAfter, type Page, type PageRequest, pageOf } from '../page.ts'
import type { PutResult } from '../put-result.ts'
import { hasSameContent } from '../same-content.ts'

export type PlanStore = {
  /** A change makes version n+1; equal content is 'same' and makes none. Refuses an unknown product or feature. */
  put(tenant: TenantKey, plan: Omit<PlanVersion, 'version'>): Promise<Outcome<PutResult<PlanVersion>>>
  /** The latest version unless one is named. */
  get(tenant: TenantKey, key: PlanKey, version?: number): Promise<PlanVersion | null>
  /** Each plan's latest version. */
  list(tenant: TenantKey, page: PageRequest): Promise<Page<PlanVersion>>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    plans: { tenant: string; key: string; latest_version: number }
    plan_versions: {
      tenant: string
      plan: string
      version: number
      product: string
      name: string
      currency: string
      interval: PlanInterval
      base_fee: string | null
      charges: Json<readonly Charge[]>
      entitlements: Json<readonly Entitlement[]>
      billing: Json<PlanBilling>
      created_at: Date
    }
  }
}

/** Fields of a plan that have a default. */
type PlanBilling = Pick<PlanVersion, 'baseFeeTiming' | 'proration' | 'minimum' | 'thresholdAmount' | 'credits'>

declare module '../changes.ts' {
  interface Topics {
    plans: PlanKey
  }
}

export function sqlPlanStore(session: DatabaseSession): PlanStore {
  return {
    put: (tenant, plan) =>
      session.write(async ({ db, announce }) => {
        const refusal = await refuseUnknownReferences(db, tenant, plan)
        if (refusal !== null) return refusal
        const key = plan.plan
        await db
          .insertInto('plans')
          .values({ tenant, key, latest_version: 0 })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
        // Concurrent puts of one plan queue here: each compares with the version before it, so that equal ones make one version.
        const { latest_version } = await db
          .selectFrom('plans')
          .select('latest_version')
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .forUpdate()
          .executeTakeFirstOrThrow()
        const latest = await selectVersions(db, tenant).where('plan', '=', key).where('version', '=', latest_version).executeTakeFirst()
        if (latest !== undefined) {
          const stored = planVersionOf(latest)
          if (hasSameContent(stored, { ...plan, version: stored.version })) return { value: stored, result: 'same' }
        }
        const value: PlanVersion = { ...plan, version: latest_version + 1 }
        await db
          .insertInto('plan_versions')
          .values(columnsOf(tenant, value, new Date(session.clock.now())))
          .execute()
        await db.updateTable('plans').set({ latest_version: value.version }).where('tenant', '=', tenant).where('key', '=', key).execute()
        announce({ tenant, topic: 'plans', key })
        return { value, result: latest === undefined ? 'created' : 'changed' }
      }),

    get: (tenant, key, version) =>
      session.run(async (db) => {
        const versions = selectVersions(db, tenant).where('plan', '=', key)
        const row = await (version === undefined ? versions : versions.where('version', '=', version))
          .orderBy('version', 'desc')
          .limit(1)
          .executeTakeFirst()
        return row === undefined ? null : planVersionOf(row)
      }),

    list: (tenant, page) =>
      session.run(async (db) => {
        const rows = await selectVersions(db, tenant)
          .where('plan', '>', keyAfter(page))
          .where('version', '=', (latest) =>
            latest
              .selectFrom('plans')
              .select('latest_version')
              .where('plans.tenant', '=', tenant)
              .whereRef('plans.key', '=', 'plan_versions.plan'),
          )
          .orderBy('plan')
          .limit(page.limit + 1)
          .execute()
        return pageOf(rows, page, ({ plan }) => plan, planVersionOf)
      }),
  }
}

export function selectVersions(db: Kysely<DatabaseTables>, tenant: TenantKey) {
  return db.selectFrom('plan_versions').selectAll('plan_versions').where('tenant', '=', tenant)
}

export function planVersionOf(row: Selectable<DatabaseTables['plan_versions']>): PlanVersion {
  return {
    plan: row.plan as PlanKey,
    version: row.version,
    product: row.product as ProductKey,
    name: row.name,
    currency: row.currency,
    interval: row.interval,
    baseFee: row.base_fee,
    ...row.billing,
    charges: row.charges,
    entitlements: row.entitlements,
  }
}

function columnsOf(tenant: TenantKey, version: PlanVersion, createdAt: Date) {
  const { baseFeeTiming, proration, minimum, thresholdAmount, credits } = version
  return {
    tenant,
    plan: version.plan,
    version: version.version,
    product: version.product,
    name: version.name,
    currency: version.currency,
    interval: version.interval,
    base_fee: version.baseFee,
    charges: JSON.stringify(version.charges),
    entitlements: JSON.stringify(version.entitlements),
    billing: JSON.stringify({ baseFeeTiming, proration, minimum, thresholdAmount, credits }),
    created_at: createdAt,
  }
}

async function refuseUnknownReferences(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  plan: Omit<PlanVersion, 'version'>,
): Promise<Refusal | null> {
  const product = await db
    .selectFrom('products')
    .select('key')
    .where('tenant', '=', tenant)
    .where('key', '=', plan.product)
    .executeTakeFirst()
  if (product === undefined) return refuseField('product', refuse('unknown_product', { product: plan.product }))
  const named = [
    ...plan.charges.map(({ feature }, index) => ({ feature, field: `charges[${index}].feature` })),
    ...plan.entitlements.map(({ feature }, index) => ({ feature, field: `entitlements[${index}].feature` })),
  ]
  const rows = await db
    .selectFrom('features')
    .select('key')
    .where('tenant', '=', tenant)
    .where('key', '=', sql<string>`ANY(${named.map(({ feature }) => feature)})`)
    .execute()
  const known = new Set(rows.map(({ key }) => key))
  const errors = named
    .filter(({ feature }) => !known.has(feature))
    .map(({ feature, field }) => ({ field, refusal: refuse('unknown_feature', { feature }) }))
  return errors.length === 0 ? null : refuseFields('unknown_feature', errors)
}
