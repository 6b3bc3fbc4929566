import type { Selectable } from 'kysely'
import type { RecordTimes } from '../../../domain/catalog/record-times.ts'
import type { TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { recordTimesOf, type TimeColumns } from '../keyed-rows.ts'
import { keyAfter, listName, type Page, type PageRequest, pageOf } from '../page.ts'

/** Whose record it is and what of: `openmeter`, `meter`. */
export type CompatKind = { readonly vendor: string; readonly kind: string }
/** JSON that the vendor's own code wrote, and alone reads. */
export type CompatRecord = RecordTimes & { readonly key: string; readonly data: Readonly<Record<string, unknown>> }

/** What only another vendor's contract knows. */
export type CompatRecordStore = {
  get(tenant: TenantKey, of: CompatKind, key: string): Promise<CompatRecord | null>
  /** Those of these keys that there are, in no order. */
  getAll(tenant: TenantKey, of: CompatKind, keys: readonly string[]): Promise<readonly CompatRecord[]>
  /** In the order of the keys. */
  list(tenant: TenantKey, of: CompatKind, page: PageRequest): Promise<Page<CompatRecord>>
  /** Null when the key is taken: one of several at once makes it. */
  create(tenant: TenantKey, of: CompatKind, key: string, data: CompatRecord['data']): Promise<CompatRecord | null>
  /** Replaces the data. */
  put(tenant: TenantKey, of: CompatKind, key: string, data: CompatRecord['data']): Promise<CompatRecord>
  /** False when there was none. */
  delete(tenant: TenantKey, of: CompatKind, key: string): Promise<boolean>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    compat_records: TimeColumns & { tenant: string; vendor: string; kind: string; key: string; data: Json<CompatRecord['data']> }
  }
}

export function sqlCompatRecordStore(session: DatabaseSession): CompatRecordStore {
  const rowOf = (tenant: TenantKey, of: CompatKind, key: string, data: CompatRecord['data']) => {
    const now = new Date(session.clock.now())
    return { tenant, vendor: of.vendor, kind: of.kind, key, data: JSON.stringify(data), created_at: now, updated_at: now }
  }
  return {
    get: (tenant, { vendor, kind }, key) =>
      session.run(async (db) => {
        const named = db
          .selectFrom('compat_records')
          .selectAll()
          .where((row) => row.eb.and({ tenant, vendor, kind, key }))
        const row = await named.executeTakeFirst()
        return row === undefined ? null : recordOf(row)
      }),

    getAll: (tenant, { vendor, kind }, keys) =>
      session.run(async (db) => {
        if (keys.length === 0) return []
        const some = db
          .selectFrom('compat_records')
          .selectAll()
          .where((row) => row.eb.and({ tenant, vendor, kind }))
        return (await some.where('key', 'in', keys).execute()).map(recordOf)
      }),

    list: (tenant, { vendor, kind }, page) =>
      session.run(async (db) => {
        const list = listName('compat_records', { vendor, kind })
        const rows = await db
          .selectFrom('compat_records')
          .selectAll()
          .where((row) => row.eb.and({ tenant, vendor, kind }))
          .where('key', '>', keyAfter(list, page))
          .orderBy('key')
          .limit(page.limit + 1)
          .execute()
        return pageOf(list, rows, page, ({ key }) => key, recordOf)
      }),

    create: (tenant, of, key, data) =>
      session.write(async ({ db }) => {
        const row = await db
          .insertInto('compat_records')
          .values(rowOf(tenant, of, key, data))
          .onConflict((conflict) => conflict.doNothing())
          .returningAll()
          .executeTakeFirst()
        return row === undefined ? null : recordOf(row)
      }),

    put: (tenant, of, key, data) =>
      session.write(async ({ db }) => {
        const row = rowOf(tenant, of, key, data)
        const put = await db
          .insertInto('compat_records')
          .values(row)
          .onConflict((conflict) =>
            conflict.columns(['tenant', 'vendor', 'kind', 'key']).doUpdateSet({ data: row.data, updated_at: row.updated_at }),
          )
          .returningAll()
          .executeTakeFirstOrThrow()
        return recordOf(put)
      }),

    delete: (tenant, { vendor, kind }, key) =>
      session.write(async ({ db }) => {
        const named = db.deleteFrom('compat_records').where((row) => row.eb.and({ tenant, vendor, kind, key }))
        return (await named.executeTakeFirst()).numDeletedRows > 0n
      }),
  }
}

function recordOf({ key, data, ...times }: Selectable<DatabaseTables['compat_records']>): CompatRecord {
  return { key, data, ...recordTimesOf(times) }
}
