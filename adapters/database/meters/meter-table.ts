import { type Selectable, sql } from 'kysely'
import type { MeterKey, TenantKey } from '../../../domain/identity.ts'
import type { Meter, MeterDefinition } from '../../../domain/metering/meter.ts'
import { refuse } from '../../../domain/refusal.ts'
import type { CatalogTables } from '../../../schemas/database/catalog-tables.ts'
import type { Catalog } from '../catalog.ts'
import type { CatalogSession } from '../engine/catalog-session.ts'
import { keyAfter, pageOf } from '../engine/page.ts'
import { hasSameContent } from '../engine/same-content.ts'
import { refuseMissingDimensions } from './dimensions-in-use.ts'

type Meters = Pick<Catalog, 'putMeter' | 'meter' | 'meters' | 'allMeters' | 'reserveMeterRevisions' | 'reviseMeters' | 'deleteMeter'>

export function meterTable(session: CatalogSession): Meters {
  return {
    putMeter: (tenant, key, definition) =>
      session.write(async (trx, announce) => {
        const columns = columnsOf(definition)
        const nextRevision = sql<number>`nextval('meter_revisions')::integer`
        const created = await trx
          .insertInto('meters')
          .values({ tenant, key, ...columns, revision: nextRevision })
          .onConflict((conflict) => conflict.doNothing())
          .returningAll()
          .executeTakeFirst()
        if (created !== undefined) {
          announce({ tenant, kind: 'meter', key })
          return { value: meterOf(created), result: 'created' }
        }
        const stored = await trx
          .selectFrom('meters')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .forUpdate()
          .executeTakeFirstOrThrow()
        if (hasSameContent(definitionOf(stored), definition)) return { value: meterOf(stored), result: 'same' }
        const features = await trx
          .selectFrom('features')
          .select(['key', 'filter'])
          .where('tenant', '=', tenant)
          .where('meter', '=', key)
          .execute()
        const refusal = await refuseMissingDimensions(trx, tenant, features, { key, dimensions: definition.dimensions })
        if (refusal !== null) return refusal
        const changed = await trx
          .updateTable('meters')
          .set({ ...columns, revision: nextRevision })
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .returningAll()
          .executeTakeFirstOrThrow()
        announce({ tenant, kind: 'meter', key })
        return { value: meterOf(changed), result: 'changed' }
      }),

    meter: (tenant, key) =>
      session.run(async (db) => {
        const row = await db.selectFrom('meters').selectAll().where('tenant', '=', tenant).where('key', '=', key).executeTakeFirst()
        return row === undefined ? null : meterOf(row)
      }),

    meters: (tenant, page) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('meters')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('key', '>', keyAfter(page))
          .orderBy('key')
          .limit(page.limit + 1)
          .execute()
        return pageOf(rows, page, ({ key }) => key, meterOf)
      }),

    allMeters: () => session.run(async (db) => (await db.selectFrom('meters').selectAll().orderBy('revision').execute()).map(meterOf)),

    reserveMeterRevisions: (count) =>
      session.run(async (db) => {
        const { rows } = await sql<{
          revision: number
        }>`SELECT nextval('meter_revisions')::integer AS revision FROM generate_series(1, ${count}::integer)`.execute(db)
        return rows.map(({ revision }) => revision)
      }),

    reviseMeters: (changes) =>
      session.write(async (trx, announce) => {
        const revisions = changes.map(({ meter }) => meter.revision)
        const found = await trx
          .selectFrom('meters')
          .select('revision')
          .where('revision', 'in', revisions)
          .orderBy('revision')
          .forUpdate()
          .execute()
        if (found.length < changes.length) return false
        for (const { meter, revision } of changes) {
          await trx.updateTable('meters').set({ revision }).where('revision', '=', meter.revision).execute()
          announce({ tenant: meter.tenant, kind: 'meter', key: meter.key })
        }
        return true
      }),

    deleteMeter: (tenant, key) =>
      session.write(async (trx, announce) => {
        const row = await trx
          .selectFrom('meters')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .forUpdate()
          .executeTakeFirst()
        if (row === undefined) return null
        const reader = await trx
          .selectFrom('features')
          .select('key')
          .where('tenant', '=', tenant)
          .where('meter', '=', key)
          .limit(1)
          .executeTakeFirst()
        if (reader !== undefined) {
          return refuse('meter_in_use', { meter: key, feature: reader.key })
        }
        await trx.deleteFrom('meters').where('tenant', '=', tenant).where('key', '=', key).execute()
        announce({ tenant, kind: 'meter', key })
        return meterOf(row)
      }),
  }
}

type MeterRow = Selectable<CatalogTables['meters']>

function columnsOf(definition: MeterDefinition) {
  return {
    event_type: definition.eventType,
    aggregation: definition.aggregation,
    value: JSON.stringify(definition.value),
    dimensions: JSON.stringify(definition.dimensions),
    selection: definition.where === undefined ? null : JSON.stringify(definition.where),
    on_inexact: definition.onInexact ?? null,
    allow_negative: definition.allowNegative ?? false,
  }
}

function definitionOf(row: MeterRow): MeterDefinition {
  return {
    eventType: row.event_type,
    aggregation: row.aggregation,
    value: row.value,
    dimensions: row.dimensions,
    ...(row.selection === null ? {} : { where: row.selection }),
    ...(row.on_inexact === null ? {} : { onInexact: row.on_inexact }),
    ...(row.allow_negative ? { allowNegative: true } : {}),
  }
}

export function meterOf(row: MeterRow): Meter {
  return { tenant: row.tenant as TenantKey, key: row.key as MeterKey, revision: row.revision, ...definitionOf(row) }
}
