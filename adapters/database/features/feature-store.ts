import type { Selectable } from 'kysely'
import type { Feature, FeatureType } from '../../../domain/catalog/plan.ts'
import type { ArchivableTimes } from '../../../domain/catalog/record-times.ts'
import type { FeatureKey, MeterKey, TenantKey } from '../../../domain/identity.ts'
import type { DimensionFilter } from '../../../domain/metering/dimension-filter.ts'
import { type Outcome, refuse, refuseField } from '../../../domain/refusal.ts'
import { type Archiver, archiver } from '../archiver.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { type ArchivableColumns, archivableTimesOf, type KeyedRows, keyedRows, type Lookup } from '../keyed-rows.ts'
import { refuseMissingDimensions } from '../meters/dimensions-in-use.ts'
import type { PutResult } from '../put-result.ts'
import { hasSameContent } from '../same-content.ts'

export type FeatureStore = KeyedRows<FeatureKey, FeatureRecord> &
  Archiver<FeatureKey, FeatureRecord> & {
    /**
     * Refuses `unknown_meter`; `feature_type_fixed` for another type than before; `dimension_in_use` when a charge filters on a
     * dimension that the new meter lacks.
     */
    put(tenant: TenantKey, feature: Feature): Promise<Outcome<PutResult<FeatureRecord>>>
  }

export type FeatureRecord = Feature & ArchivableTimes

/** For those who need no more than what it says now. */
export type FeatureReader = Lookup<FeatureKey, Feature>

declare module '../database-session.ts' {
  interface DatabaseTables {
    features: ArchivableColumns & {
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
  const rows = keyedRows(session, 'features', featureRecordOf)
  return {
    ...rows,
    archive: archiver(session, 'features', rows.get),

    put: (tenant, feature) =>
      session.write(async ({ db, announce }) => {
        const { key, name, type, meter, unit } = feature
        const columns = { name, type, meter, unit, filter: JSON.stringify(feature.filter) }
        const now = new Date(session.clock.now())
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
          .values({ tenant, key, ...columns, created_at: now, updated_at: now })
          .onConflict((conflict) => conflict.doNothing())
          .returningAll()
          .executeTakeFirst()
        if (created !== undefined) {
          announce({ tenant, topic: 'features', key })
          return { value: featureRecordOf(created), result: 'created' }
        }
        const row = await db
          .selectFrom('features')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .forUpdate()
          .executeTakeFirstOrThrow()
        const stored = featureOf(row)
        if (hasSameContent(stored, feature)) return { value: featureRecordOf(row), result: 'same' }
        if (stored.type !== type) {
          return refuse('feature_type_fixed', { feature: key, type: stored.type, wanted: type })
        }
        const refusal = read == null ? null : await refuseMissingDimensions(db, tenant, [feature], read)
        if (refusal !== null) return refusal
        const changed = await db
          .updateTable('features')
          .set({ ...columns, updated_at: now })
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .returningAll()
          .executeTakeFirstOrThrow()
        announce({ tenant, topic: 'features', key })
        return { value: featureRecordOf(changed), result: 'changed' }
      }),
  }
}

type FeatureRow = Selectable<DatabaseTables['features']>

function featureRecordOf(row: FeatureRow): FeatureRecord {
  return { ...featureOf(row), ...archivableTimesOf(row) }
}

export function featureOf(row: FeatureRow): Feature {
  return {
    key: row.key as FeatureKey,
    name: row.name,
    type: row.type,
    meter: row.meter as MeterKey | null,
    filter: row.filter,
    unit: row.unit,
  }
}
