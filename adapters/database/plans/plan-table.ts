import { type Kysely, type Selectable, sql } from 'kysely'
import type { Clock } from '../../../base/clock.ts'
import type { PlanVersion } from '../../../domain/catalog/plan.ts'
import type { PlanKey, ProductKey, TenantKey } from '../../../domain/identity.ts'
import { type Refusal, refuse, refuseField, refuseFields } from '../../../domain/refusal.ts'
import type { CatalogTables } from '../../../schemas/database/catalog-tables.ts'
import type { Catalog } from '../catalog.ts'
import type { CatalogSession } from '../engine/catalog-session.ts'
import { keyAfter, pageOf } from '../engine/page.ts'
import { hasSameContent } from '../engine/same-content.ts'

type Plans = Pick<Catalog, 'putPlan' | 'plan' | 'plans'>

export function planTable(session: CatalogSession, clock: Clock): Plans {
  return {
    putPlan: (tenant, plan) =>
      session.write(async (trx, announce) => {
        const refusal = await refuseUnknownReferences(trx, tenant, plan)
        if (refusal !== null) return refusal
        const key = plan.plan
        await trx
          .insertInto('plans')
          .values({ tenant, key, latest_version: 0 })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
        // Concurrent puts of one plan queue here: each compares with the version before it, so equal ones make one.
        const { latest_version } = await trx
          .selectFrom('plans')
          .select('latest_version')
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .forUpdate()
          .executeTakeFirstOrThrow()
        const latest = await selectVersions(trx, tenant).where('plan', '=', key).where('version', '=', latest_version).executeTakeFirst()
        if (latest !== undefined) {
          const stored = planVersionOf(latest)
          if (hasSameContent(stored, { ...plan, version: stored.version })) return { value: stored, result: 'same' }
        }
        const value: PlanVersion = { ...plan, version: latest_version + 1 }
        await trx
          .insertInto('plan_versions')
          .values(columnsOf(tenant, value, new Date(clock.now())))
          .execute()
        await trx.updateTable('plans').set({ latest_version: value.version }).where('tenant', '=', tenant).where('key', '=', key).execute()
        announce({ tenant, kind: 'plan', key })
        return { value, result: latest === undefined ? 'created' : 'changed' }
      }),

    plan: (tenant, key, version) =>
      session.run(async (db) => {
        const versions = selectVersions(db, tenant).where('plan', '=', key)
        const row = await (version === undefined ? versions : versions.where('version', '=', version))
          .orderBy('version', 'desc')
          .limit(1)
          .executeTakeFirst()
        return row === undefined ? null : planVersionOf(row)
      }),

    plans: (tenant, page) =>
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

export function selectVersions(db: Kysely<CatalogTables>, tenant: TenantKey) {
  return db.selectFrom('plan_versions').selectAll('plan_versions').where('tenant', '=', tenant)
}

export function planVersionOf(row: Selectable<CatalogTables['plan_versions']>): PlanVersion {
  return {
    plan: row.plan as PlanKey,
    version: row.version,
    product: row.product as ProductKey,
    name: row.name,
    currency: row.currency,
    interval: row.interval,
    baseFee: row.base_fee,
    charges: row.charges,
    entitlements: row.entitlements,
  }
}

function columnsOf(tenant: TenantKey, version: PlanVersion, createdAt: Date) {
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
    created_at: createdAt,
  }
}

async function refuseUnknownReferences(
  db: Kysely<CatalogTables>,
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
