import type { Selectable } from 'kysely'
import type { RecordTimes } from '../../../domain/catalog/record-times.ts'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import { type Outcome, refuse } from '../../../domain/refusal.ts'
import type { DatabaseSession, DatabaseTables } from '../database-session.ts'
import { type KeyedRows, keyedRows, recordTimesOf, type TimeColumns } from '../keyed-rows.ts'
import type { PutResult } from '../put-result.ts'
import { createRecordId } from '../record-id.ts'

/** Downloads and the releases of each. A release is written once; its bytes are in the file store. */
export type DownloadStore = KeyedRows<string, DownloadRecord> & {
  put(tenant: TenantKey, download: Download): Promise<PutResult<DownloadRecord>>
  /** The id under which the bytes of a release to come are stored. */
  createReleaseId(nowMs: InstantMs): string
  /** Refuses `unknown_download`, `version_exists`. */
  release(tenant: TenantKey, release: Omit<Release, 'withdrawnMs' | 'erasedMs'>): Promise<Outcome<Release>>
  /** All of a download, newest first. */
  releasesOf(tenant: TenantKey, download: string): Promise<readonly Release[]>
  releaseById(tenant: TenantKey, id: string): Promise<Release | null>
  /** Null when there is no such release. */
  withdraw(tenant: TenantKey, download: string, version: string, of: { nowMs: InstantMs; isErased: boolean }): Promise<Release | null>
}

export type Download = { readonly key: string; readonly name: string; readonly description: string | null }
export type DownloadRecord = Download & RecordTimes

export type Release = {
  readonly id: string
  readonly download: string
  readonly version: string
  readonly filename: string
  readonly bytes: number
  readonly sha256: string
  readonly createdMs: InstantMs
  readonly withdrawnMs: InstantMs | null
  readonly erasedMs: InstantMs | null
}

/** Releases of one download: all of them are read to show what a customer has. */
export const RELEASES_MAX = 1_000

declare module '../database-session.ts' {
  interface DatabaseTables {
    downloads: TimeColumns & { tenant: string; key: string; name: string; description: string | null }
    releases: {
      tenant: string
      id: string
      download: string
      version: string
      filename: string
      /** bigint: decimal text. */
      bytes: string
      sha256: string
      created_at: Date
      withdrawn_at: Date | null
      erased_at: Date | null
    }
  }
}

export function sqlDownloadStore(session: DatabaseSession): DownloadStore {
  return {
    ...keyedRows(session, 'downloads', downloadOf),

    put: (tenant, { key, name, description }) =>
      session.write(async ({ db }) => {
        const now = new Date(session.clock.now())
        const stored = await db
          .selectFrom('downloads')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .forUpdate()
          .executeTakeFirst()
        if (stored !== undefined && stored.name === name && stored.description === description)
          return { value: downloadOf(stored), result: 'same' }
        const columns = { name, description, updated_at: now }
        const put = await db
          .insertInto('downloads')
          .values({ tenant, key, ...columns, created_at: now })
          .onConflict((conflict) => conflict.columns(['tenant', 'key']).doUpdateSet(columns))
          .returningAll()
          .executeTakeFirstOrThrow()
        return { value: downloadOf(put), result: stored === undefined ? 'created' : 'changed' }
      }),

    createReleaseId: (nowMs) => createRecordId('rel', nowMs, session.randomBytes),

    release: (tenant, release) =>
      session.write(async ({ db }) => {
        const { download, version } = release
        const known = await db
          .selectFrom('downloads')
          .select('key')
          .where('tenant', '=', tenant)
          .where('key', '=', download)
          .forUpdate()
          .executeTakeFirst()
        if (known === undefined) return refuse('unknown_download', { download })
        const { createdMs, bytes, ...columns } = release
        const row = await db
          .insertInto('releases')
          .values({ tenant, ...columns, bytes: String(bytes), created_at: new Date(createdMs), withdrawn_at: null, erased_at: null })
          .onConflict((conflict) => conflict.columns(['tenant', 'download', 'version']).doNothing())
          .returningAll()
          .executeTakeFirst()
        return row === undefined ? refuse('version_exists', { download, version }) : releaseOf(row)
      }),

    releasesOf: (tenant, download) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('releases')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('download', '=', download)
          .orderBy('id', 'desc')
          .limit(RELEASES_MAX)
          .execute()
        return rows.map(releaseOf)
      }),

    releaseById: (tenant, id) =>
      session.run(async (db) => {
        const row = await db.selectFrom('releases').selectAll().where('tenant', '=', tenant).where('id', '=', id).executeTakeFirst()
        return row === undefined ? null : releaseOf(row)
      }),

    withdraw: (tenant, download, version, { nowMs, isErased }) =>
      session.write(async ({ db }) => {
        const row = await db
          .selectFrom('releases')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('download', '=', download)
          .where('version', '=', version)
          .forUpdate()
          .executeTakeFirst()
        if (row === undefined) return null
        const now = new Date(nowMs)
        const changed = { withdrawn_at: row.withdrawn_at ?? now, erased_at: row.erased_at ?? (isErased ? now : null) }
        await db.updateTable('releases').set(changed).where('tenant', '=', tenant).where('id', '=', row.id).execute()
        return releaseOf({ ...row, ...changed })
      }),
  }
}

function downloadOf({ key, name, description, ...row }: Selectable<DatabaseTables['downloads']>): DownloadRecord {
  return { key, name, description, ...recordTimesOf(row) }
}

function releaseOf(row: Selectable<DatabaseTables['releases']>): Release {
  const { id, download, version, filename, bytes, sha256, created_at, withdrawn_at, erased_at } = row
  return {
    ...{ id, download, version, filename, sha256, bytes: Number(bytes), createdMs: created_at.getTime() as InstantMs },
    withdrawnMs: withdrawn_at === null ? null : (withdrawn_at.getTime() as InstantMs),
    erasedMs: erased_at === null ? null : (erased_at.getTime() as InstantMs),
  }
}
