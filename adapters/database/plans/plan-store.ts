import { type Kysely, type RawBuilder, type Selectable, sql } from 'kysely'
import type { Charge, Entitlement, PlanVersion } from '../../../domain/catalog/plan.ts'
import type { PlanSelling } from '../../../domain/catalog/plan-selling.ts'
import type { ArchivableTimes } from '../../../domain/catalog/record-times.ts'
import type { PlanKey, ProductKey, TenantKey } from '../../../domain/identity.ts'
import { type Outcome, type Refusal, refuse, refuseField, refuseFields } from '../../../domain/refusal.ts'
import type { PlanInterval } from '../../../domain/time/intervals.ts'
import { type Archiver, archiver, refuseArchived } from '../archiver.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { type ArchivableColumns, archivableTimesOf, type KeyedRows, keyedRows } from '../keyed-rows.ts'
import type { PutResult } from '../put-result.ts'
import { hasSameContent } from '../same-content.ts'

export type PlanStore = Pick<KeyedRows<PlanKey, PlanRecord>, 'list'> &
  Archiver<PlanKey, PlanRecord> & {
    /** A change makes version n+1; equal content is 'same' and makes none. Refuses an unknown product or feature. */
    put(tenant: TenantKey, plan: Omit<PlanVersion, 'version'>): Promise<Outcome<PutResult<PlanRecord>>>
    /** The latest version unless one is named. */
    get(tenant: TenantKey, key: PlanKey, version?: number): Promise<PlanRecord | null>
  }

/** The times are the plan's: made with its first version, changed with its latest. */
export type PlanRecord = PlanVersion & ArchivableTimes

declare module '../database-session.ts' {
  interface DatabaseTables {
    plans: ArchivableColumns & { tenant: string; key: string; latest_version: number }
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
      selling: Json<PlanSelling>
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
  const versions = (version: number) => keyedRows(session, 'plans', planRecordOf, plansWith(sql`${version}`))
  const rows = keyedRows(session, 'plans', planRecordOf, plansWith(sql`plans.latest_version`))
  return {
    put: (tenant, plan) =>
      session.write(async ({ db, announce }) => {
        const key = plan.plan
        const now = new Date(session.clock.now())
        await db
          .insertInto('plans')
          .values({ tenant, key, latest_version: 0, created_at: now, updated_at: now })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
        // Concurrent puts of one plan queue here: each compares with the version before it, so that equal ones make one version.
        const { latest_version, ...times } = await db
          .selectFrom('plans')
          .select(['latest_version', 'created_at', 'updated_at', 'archived_at'])
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .forUpdate()
          .executeTakeFirstOrThrow()
        const latest = await selectVersions(db, tenant).where('plan', '=', key).where('version', '=', latest_version).executeTakeFirst()
        if (latest !== undefined) {
          const stored = planVersionOf(latest)
          if (hasSameContent(stored, { ...plan, version: stored.version }))
            return { value: { ...stored, ...archivableTimesOf(times) }, result: 'same' }
        }
        const refusal = await refuseReferences(db, tenant, plan, latest === undefined ? null : planVersionOf(latest))
        if (refusal !== null) return refusal
        const value: PlanVersion = { ...plan, version: latest_version + 1 }
        await db
          .insertInto('plan_versions')
          .values(columnsOf(tenant, value, now))
          .execute()
        await db
          .updateTable('plans')
          .set({ latest_version: value.version, updated_at: now })
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .execute()
        announce({ tenant, topic: 'plans', key })
        const record = { ...value, ...archivableTimesOf({ ...times, updated_at: now }) }
        return { value: record, result: latest === undefined ? 'created' : 'changed' }
      }),

    get: (tenant, key, version) => (version === undefined ? rows.get(tenant, key) : versions(version).get(tenant, key)),
    list: rows.list,
    archive: archiver(session, 'plans', rows.get),
  }
}

/** Plans, each with one of its versions. */
function plansWith(version: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(
    SELECT versions.*, plans.key, plans.created_at AS made_at, plans.updated_at, plans.archived_at
    FROM plans JOIN plan_versions AS versions ON versions.tenant = plans.tenant AND versions.plan = plans.key AND versions.version = ${version}
  ) AS plans`
}

type PlanRow = PlanVersionRow & ArchivableColumns & { readonly key: string; readonly made_at: Date }

function planRecordOf({ made_at, ...row }: PlanRow): PlanRecord {
  return { ...planVersionOf(row), ...archivableTimesOf({ ...row, created_at: made_at }) }
}

export function selectVersions(db: Kysely<DatabaseTables>, tenant: TenantKey) {
  return db.selectFrom('plan_versions').selectAll('plan_versions').where('tenant', '=', tenant)
}

type PlanVersionRow = Selectable<DatabaseTables['plan_versions']>

export function planVersionOf(row: PlanVersionRow): PlanVersion {
  return {
    plan: row.plan as PlanKey,
    version: row.version,
    product: row.product as ProductKey,
    name: row.name,
    currency: row.currency,
    interval: row.interval,
    baseFee: row.base_fee,
    ...row.billing,
    ...row.selling,
    charges: row.charges,
    entitlements: row.entitlements,
  }
}

function columnsOf(tenant: TenantKey, version: PlanVersion, createdAt: Date) {
  const { baseFeeTiming, proration, minimum, thresholdAmount, credits } = version
  const { validFor, again, deliverables, quantityMax, payWhatYouWant, prices, trial, isListed, hasBuyLink } = version
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
    selling: JSON.stringify({ validFor, again, deliverables, quantityMax, payWhatYouWant, prices, trial, isListed, hasBuyLink }),
    created_at: createdAt,
  }
}

/** What a plan names must exist, and be in use unless the version before names it too. */
async function refuseReferences(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  plan: Omit<PlanVersion, 'version'>,
  before: PlanVersion | null,
): Promise<Refusal | null> {
  const product = await db
    .selectFrom('products')
    .select(['key', 'archived_at'])
    .where('tenant', '=', tenant)
    .where('key', '=', plan.product)
    .executeTakeFirst()
  if (product === undefined) return refuseField('product', refuse('unknown_product', { product: plan.product }))
  const archivedProduct = plan.product === before?.product ? null : refuseArchived('product', product.key, product.archived_at)
  if (archivedProduct !== null) return refuseField('product', archivedProduct)
  const named = [
    ...plan.charges.map(({ feature }, index) => ({ feature, field: `charges[${index}].feature` })),
    ...plan.entitlements.map(({ feature }, index) => ({ feature, field: `entitlements[${index}].feature` })),
  ]
  const rows = await db
    .selectFrom('features')
    .select(['key', 'archived_at'])
    .where('tenant', '=', tenant)
    .where('key', '=', sql<string>`ANY(${named.map(({ feature }) => feature)})`)
    .execute()
  const archivedAt = new Map(rows.map(({ key, archived_at }) => [key, archived_at]))
  const namedBefore = new Set([...(before?.charges ?? []), ...(before?.entitlements ?? [])].map(({ feature }) => feature))
  const errors = named.flatMap(({ feature, field }) => {
    const at = archivedAt.get(feature)
    if (at === undefined) return [{ field, refusal: refuse('unknown_feature', { feature }) }]
    const refusal = namedBefore.has(feature) ? null : refuseArchived('feature', feature, at)
    return refusal === null ? [] : [{ field, refusal }]
  })
  const [first] = errors
  return first === undefined ? null : refuseFields(first.refusal.code, errors)
}
