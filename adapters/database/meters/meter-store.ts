import { type ColumnType, type Selectable, sql } from 'kysely'
import type { RecordTimes } from '../../../domain/catalog/record-times.ts'
import type { MeterKey, TenantKey } from '../../../domain/identity.ts'
import type { EventSelection } from '../../../domain/metering/event-selection.ts'
import type { Aggregation, Meter, MeterDefinition } from '../../../domain/metering/meter.ts'
import { type Outcome, refuse } from '../../../domain/refusal.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { type KeyedRows, keyedRows, type Lookup, recordTimesOf, type TimeColumns } from '../keyed-rows.ts'
import type { PutResult } from '../put-result.ts'
import { hasSameContent } from '../same-content.ts'
import { refuseMissingDimensions } from './dimensions-in-use.ts'

export type MeterStore = KeyedRows<MeterKey, MeterRecord> & {
  /** Refuses `dimension_in_use` when a feature or charge filters on a dimension that would be gone. */
  put(tenant: TenantKey, key: MeterKey, definition: MeterDefinition): Promise<Outcome<PutResult<MeterRecord>>>
  /** All meters of one tenant. */
  ofTenant(tenant: TenantKey): Promise<readonly Meter[]>
  /** The meters of every tenant, for the fold. */
  all(): Promise<readonly Meter[]>
  /** Revision numbers that no meter has or will get, for `revise`. */
  reserveRevisions(count: number): Promise<readonly number[]>
  /** Gives these meters new revisions if they are unchanged: all of them, or none (false) when one has changed or is gone. */
  revise(changes: readonly { readonly meter: Meter; readonly revision: number }[]): Promise<boolean>
  /** Refuses `meter_in_use` while a feature reads it; null when there is no such meter. */
  delete(tenant: TenantKey, key: MeterKey): Promise<Outcome<Meter | null>>
}

export type MeterRecord = Meter & RecordTimes

/** For those who need no more than what it says now. */
export type MeterReader = Lookup<MeterKey, Meter>

declare module '../database-session.ts' {
  interface DatabaseTables {
    meters: TimeColumns & {
      tenant: string
      key: string
      event_type: string
      aggregation: Aggregation
      value: Json<readonly string[]>
      dimensions: Json<Readonly<Record<string, string>>>
      selection: ColumnType<EventSelection | null, string | null, string | null>
      on_inexact: 'refuse' | null
      allow_negative: boolean
      series_max: number | null
      revision: number
    }
  }
}

declare module '../changes.ts' {
  interface Topics {
    meters: MeterKey
  }
}

export function sqlMeterStore(session: DatabaseSession): MeterStore {
  return {
    ...keyedRows(session, 'meters', meterRecordOf),

    put: (tenant, key, definition) =>
      session.write(async ({ db, announce }) => {
        const columns = columnsOf(definition)
        const now = new Date(session.clock.now())
        const nextRevision = sql<number>`nextval('meter_revisions')::integer`
        const created = await db
          .insertInto('meters')
          .values({ tenant, key, ...columns, revision: nextRevision, created_at: now, updated_at: now })
          .onConflict((conflict) => conflict.doNothing())
          .returningAll()
          .executeTakeFirst()
        if (created !== undefined) {
          announce({ tenant, topic: 'meters', key })
          return { value: meterRecordOf(created), result: 'created' }
        }
        const stored = await db
          .selectFrom('meters')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .forUpdate()
          .executeTakeFirstOrThrow()
        if (hasSameContent(definitionOf(stored), definition)) return { value: meterRecordOf(stored), result: 'same' }
        const features = await db
          .selectFrom('features')
          .select(['key', 'filter'])
          .where('tenant', '=', tenant)
          .where('meter', '=', key)
          .execute()
        const refusal = await refuseMissingDimensions(db, tenant, features, { key, dimensions: definition.dimensions })
        if (refusal !== null) return refusal
        const changed = await db
          .updateTable('meters')
          .set({ ...columns, revision: nextRevision, updated_at: now })
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .returningAll()
          .executeTakeFirstOrThrow()
        announce({ tenant, topic: 'meters', key })
        return { value: meterRecordOf(changed), result: 'changed' }
      }),

    ofTenant: (tenant) =>
      session.run(async (db) =>
        (await db.selectFrom('meters').selectAll().where('tenant', '=', tenant).orderBy('key').execute()).map(meterOf),
      ),

    all: () => session.run(async (db) => (await db.selectFrom('meters').selectAll().orderBy('revision').execute()).map(meterOf)),

    reserveRevisions: (count) =>
      session.run(async (db) => {
        const { rows } = await sql<{
          revision: number
        }>`SELECT nextval('meter_revisions')::integer AS revision FROM generate_series(1, ${count}::integer)`.execute(db)
        return rows.map(({ revision }) => revision)
      }),

    revise: (changes) =>
      session.write(async ({ db, announce }) => {
        const revisions = changes.map(({ meter }) => meter.revision)
        const found = await db
          .selectFrom('meters')
          .select('revision')
          .where('revision', 'in', revisions)
          .orderBy('revision')
          .forUpdate()
          .execute()
        if (found.length < changes.length) return false
        for (const { meter, revision } of changes) {
          await db.updateTable('meters').set({ revision }).where('revision', '=', meter.revision).execute()
          announce({ tenant: meter.tenant, topic: 'meters', key: meter.key })
        }
        return true
      }),

    delete: (tenant, key) =>
      session.write(async ({ db, announce }) => {
        const row = await db
          .selectFrom('meters')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .forUpdate()
          .executeTakeFirst()
        if (row === undefined) return null
        const reader = await db
          .selectFrom('features')
          .select('key')
          .where('tenant', '=', tenant)
          .where('meter', '=', key)
          .limit(1)
          .executeTakeFirst()
        if (reader !== undefined) {
          return refuse('meter_in_use', { meter: key, feature: reader.key })
        }
        await db.deleteFrom('meters').where('tenant', '=', tenant).where('key', '=', key).execute()
        announce({ tenant, topic: 'meters', key })
        return meterOf(row)
      }),
  }
}

type MeterRow = Selectable<DatabaseTables['meters']>

function columnsOf(definition: MeterDefinition) {
  return {
    event_type: definition.eventType,
    aggregation: definition.aggregation,
    value: JSON.stringify(definition.value),
    dimensions: JSON.stringify(definition.dimensions),
    selection: definition.where === undefined ? null : JSON.stringify(definition.where),
    on_inexact: definition.onInexact ?? null,
    allow_negative: definition.allowNegative ?? false,
    series_max: definition.seriesMax ?? null,
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
    ...(row.series_max === null ? {} : { seriesMax: row.series_max }),
  }
}

function meterRecordOf(row: MeterRow): MeterRecord {
  return { ...meterOf(row), ...recordTimesOf(row) }
}

export function meterOf(row: MeterRow): Meter {
  return { tenant: row.tenant as TenantKey, key: row.key as MeterKey, revision: row.revision, ...definitionOf(row) }
}
