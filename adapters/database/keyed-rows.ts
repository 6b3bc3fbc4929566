import { type RawBuilder, sql } from 'kysely'
import type { ArchivableTimes, ArchivedFilter, RecordTimes } from '../../domain/catalog/record-times.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import type { DatabaseSession } from './database-session.ts'
import { keyAfter, listName, type Page, type PageRequest, pageOf } from './page.ts'

/** One record by its key. */
export type Lookup<Key extends string, Value> = { get(tenant: TenantKey, key: Key): Promise<Value | null> }

/** All records of a tenant in the order of their keys, too. */
export type KeyedRows<Key extends string, Value> = Lookup<Key, Value> & {
  list(tenant: TenantKey, page: PageRequest, filter?: KeyedFilter): Promise<Page<Value>>
}

/** Only tables with `archived_at` have archived records. */
export type KeyedFilter = { readonly archived?: ArchivedFilter }

/** The one reader of tables whose rows have a tenant and a key. `from` is what is read in place of the whole table, under its name. */
export function keyedRows<Row extends { readonly key: string }, Key extends string, Value>(
  session: DatabaseSession,
  table: string,
  toValue: (row: Row) => Value,
  from: RawBuilder<unknown> = sql.table(table),
): KeyedRows<Key, Value> {
  return {
    get: (tenant, key) =>
      session.run(async (db) => {
        const { rows } = await sql<Row>`SELECT * FROM ${from} WHERE tenant = ${tenant} AND key = ${key}`.execute(db)
        return rows[0] === undefined ? null : toValue(rows[0])
      }),

    list: (tenant, page, { archived } = {}) =>
      session.snapshot(async (db) => {
        const list = listName(table, { archived })
        const listed = sql`${from} WHERE tenant = ${tenant}${archivedIs(archived)}`
        const { rows } = await sql<Row>`
          SELECT * FROM ${listed} AND key > ${keyAfter(list, page)} ORDER BY key LIMIT ${page.limit + 1}`.execute(db)
        const found = pageOf(list, rows, page, ({ key }) => key, toValue)
        return page.count === true ? { ...found, count: await countOf(listed).execute(db).then(onlyCount) } : found
      }),
  }
}

export function countOf(listed: RawBuilder<unknown>): RawBuilder<{ count: number }> {
  return sql<{ count: number }>`SELECT count(*)::integer AS count FROM ${listed}`
}

export function onlyCount({ rows }: { readonly rows: readonly { readonly count: number }[] }): number {
  return rows[0]?.count ?? 0
}

/** A condition that goes on after another. */
export function archivedIs(archived: ArchivedFilter | undefined): RawBuilder<unknown> {
  if (archived === undefined || archived === 'any') return sql``
  return archived === 'true' ? sql` AND archived_at IS NOT NULL` : sql` AND archived_at IS NULL`
}

export type TimeColumns = { created_at: Date; updated_at: Date }
export type ArchivableColumns = TimeColumns & { archived_at: Date | null }

export function recordTimesOf({ created_at, updated_at }: TimeColumns): RecordTimes {
  return { createdMs: created_at.getTime() as InstantMs, updatedMs: updated_at.getTime() as InstantMs }
}

export function archivableTimesOf({ archived_at, ...times }: ArchivableColumns): ArchivableTimes {
  return { ...recordTimesOf(times), archivedMs: archived_at === null ? null : (archived_at.getTime() as InstantMs) }
}
