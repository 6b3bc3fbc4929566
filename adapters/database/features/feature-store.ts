import type { Selectable } from 'kysely'
import type { Feature, FeatureType } from '../../../domain/catalog/plan.ts'
import type { FeatureKey, MeterKey, TenantKey } from '../../../domain/identity.ts'
import type { DimensionFilter } from '../../../domain/metering/dimension-filter.ts'
import { type Outcome, refuse, refuseField } from '../../../domain/refusal.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { refuseMissingDimensions } from '../meters/dimensions-in-use.ts'
import { keyAfter, type Page, type PageRequest, pageOf } from '../page.ts'
import type { PutResult } from '../put-result.ts'
import { hasSameContent } from '../same-content.ts'

export type FeatureStore = {
  /**
   * Refuses `unknown_meter`; `feature_type_fixed` for another type than before; `dimension_in_use` when a charge filters on a
   * dimension that the new meter lacks.
   */
  put(tenant: TenantKey, feature: Feature): Promise<Outcome<PutResult<Feature>>>
  get(tenant: TenantKey, key: FeatureKey): Promise<Feature | null>
  list(tenant: TenantKey, page: PageRequest): Promise<Page<Feature>>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    features: {
      tenant: string
      key: string
      name: string
      type: FeatureType
      meter: string | null
      filter: Json<DimensionFilter>
      unit: string | null
    }
  }
}

declare module '../changes.ts' {
  interface Topics {
    features: FeatureKey
  }
}

export function sqlFeatureStore(session: DatabaseSession): FeatureStore {
  return {
    put: (tenant, feature) =>
      session.write(async ({ db, announce }) => {
        const { key, name, type, meter, unit } = feature
        const columns = { name, type, meter, unit, filter: JSON.stringify(feature.filter) }
        const read =
          meter === null
            ? null
            : await db
                .selectFrom('meters')
                .select(['key', 'dimensions'])
                .where('tenant', '=', tenant)
                .where('key', '=', meter)
                .forShare()
                .executeTakeFirst()
        if (meter !== null && read === undefined) return refuseField('meter', refuse('unknown_meter', { meter }))
        const created = await db
          .insertInto('features')
          .values({ tenant, key, ...columns })
          .onConflict((conflict) => conflict.doNothing())
          .returning('key')
          .executeTakeFirst()
        if (created !== undefined) {
          announce({ tenant, topic: 'features', key })
          return { value: feature, result: 'created' }
        }
        const row = await db
          .selectFrom('features')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .forUpdate()
          .executeTakeFirstOrThrow()
        const stored = featureOf(row)
        if (hasSameContent(stored, feature)) return { value: stored, result: 'same' }
        if (stored.type !== type) {
          return refuse('feature_type_fixed', { feature: key, type: stored.type, wanted: type })
        }
        const refusal = read == null ? null : await refuseMissingDimensions(db, tenant, [feature], read)
        if (refusal !== null) return refusal
        await db.updateTable('features').set(columns).where('tenant', '=', tenant).where('key', '=', key).execute()
        announce({ tenant, topic: 'features', key })
        return { value: feature, result: 'changed' }
      }),

    get: (tenant, key) =>
      session.run(async (db) => {
        const row = await db.selectFrom('features').selectAll().where('tenant', '=', tenant).where('key', '=', key).executeTakeFirst()
        return row === undefined ? null : featureOf(row)
      }),

    list: (tenant, page) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('features')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('key', '>', keyAfter(page))
          .orderBy('key')
          .limit(page.limit + 1)
          .execute()
        return pageOf(rows, page, ({ key }) => key, featureOf)
      }),
  }
}

export function featureOf(row: Selectable<DatabaseTables['features']>): Feature {
  return {
    key: row.key as FeatureKey,
    name: row.name,
    type: row.type,
    meter: row.meter as MeterKey | null,
    filter: row.filter,
    unit: row.unit,
  }
}
