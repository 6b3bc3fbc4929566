import type { Selectable } from 'kysely'
import type { Feature } from '../../../domain/catalog/plan.ts'
import type { FeatureKey, MeterKey } from '../../../domain/identity.ts'
import { refuse, refuseField } from '../../../domain/refusal.ts'
import type { CatalogTables } from '../../../schemas/database/catalog-tables.ts'
import type { Catalog } from '../catalog.ts'
import type { CatalogSession } from '../engine/catalog-session.ts'
import { keyAfter, pageOf } from '../engine/page.ts'
import { hasSameContent } from '../engine/same-content.ts'
import { refuseMissingDimensions } from '../meters/dimensions-in-use.ts'

type Features = Pick<Catalog, 'putFeature' | 'feature' | 'features'>

export function featureTable(session: CatalogSession): Features {
  return {
    putFeature: (tenant, feature) =>
      session.write(async (trx, announce) => {
        const { key, name, type, meter, unit } = feature
        const columns = { name, type, meter, unit, filter: JSON.stringify(feature.filter) }
        const read =
          meter === null
            ? null
            : await trx
                .selectFrom('meters')
                .select(['key', 'dimensions'])
                .where('tenant', '=', tenant)
                .where('key', '=', meter)
                .forShare()
                .executeTakeFirst()
        if (meter !== null && read === undefined) return refuseField('meter', refuse('unknown_meter', { meter }))
        const created = await trx
          .insertInto('features')
          .values({ tenant, key, ...columns })
          .onConflict((conflict) => conflict.doNothing())
          .returning('key')
          .executeTakeFirst()
        if (created !== undefined) {
          announce({ tenant, kind: 'feature', key })
          return { value: feature, result: 'created' }
        }
        const row = await trx
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
        const refusal = read == null ? null : await refuseMissingDimensions(trx, tenant, [feature], read)
        if (refusal !== null) return refusal
        await trx.updateTable('features').set(columns).where('tenant', '=', tenant).where('key', '=', key).execute()
        announce({ tenant, kind: 'feature', key })
        return { value: feature, result: 'changed' }
      }),

    feature: (tenant, key) =>
      session.run(async (db) => {
        const row = await db.selectFrom('features').selectAll().where('tenant', '=', tenant).where('key', '=', key).executeTakeFirst()
        return row === undefined ? null : featureOf(row)
      }),

    features: (tenant, page) =>
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

export function featureOf(row: Selectable<CatalogTables['features']>): Feature {
  return {
    key: row.key as FeatureKey,
    name: row.name,
    type: row.type,
    meter: row.meter as MeterKey | null,
    filter: row.filter,
    unit: row.unit,
  }
}
