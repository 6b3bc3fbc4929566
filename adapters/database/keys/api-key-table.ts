import type { Clock } from '../../../base/clock.ts'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { Catalog, KeyRecord } from '../catalog.ts'
import type { CatalogSession } from '../engine/catalog-session.ts'
import { createRecordId, type RandomBytes } from '../engine/record-id.ts'

type ApiKeys = Pick<Catalog, 'createKey' | 'findKey' | 'keys' | 'hasKeys'>

/** A tenant is made with its first key. */
export function apiKeyTable(session: CatalogSession, clock: Clock, randomBytes: RandomBytes): ApiKeys {
  return {
    createKey: ({ tenant, name, scopes, secretHash }) =>
      session.write(async (trx, announce) => {
        const nowMs = clock.now()
        const record: KeyRecord = { id: createRecordId('key', nowMs, randomBytes), tenant, name, scopes, createdAtMs: nowMs }
        const created_at = new Date(nowMs)
        await trx
          .insertInto('tenants')
          .values({ tenant, created_at })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
        await trx
          .insertInto('api_keys')
          .values({ id: record.id, tenant, name, scopes: JSON.stringify(scopes), secret_hash: secretHash, created_at })
          .execute()
        announce({ tenant, kind: 'key', key: record.id })
        return record
      }),

    findKey: (secretHash) =>
      session.run(async (db) => {
        const row = await db
          .selectFrom('api_keys')
          .select(['id', 'tenant', 'scopes'])
          .where('secret_hash', '=', secretHash)
          .executeTakeFirst()
        return row === undefined ? null : { keyId: row.id, tenant: row.tenant as TenantKey, scopes: row.scopes }
      }),

    keys: (tenant) =>
      session.run(async (db) => {
        const rows = await db.selectFrom('api_keys').selectAll().where('tenant', '=', tenant).orderBy('id').execute()
        return rows.map((row) => ({
          id: row.id,
          name: row.name,
          tenant,
          scopes: row.scopes,
          createdAtMs: row.created_at.getTime() as InstantMs,
        }))
      }),

    hasKeys: (tenant) =>
      session.run(async (db) => {
        const row = await db.selectFrom('api_keys').select('id').where('tenant', '=', tenant).limit(1).executeTakeFirst()
        return row !== undefined
      }),
  }
}
