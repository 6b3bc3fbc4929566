import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { Principal, Scope } from '../../../domain/principal.ts'
import type { DatabaseSession, Json } from '../database-session.ts'
import { createRecordId } from '../record-id.ts'

/** Keys are stored as SHA-256 of the secret. A tenant is created with its first key. */
export type ApiKeyStore = {
  create(key: { tenant: TenantKey; name: string; scopes: Principal['scopes']; secretHash: string }): Promise<KeyRecord>
  find(secretHash: string): Promise<Principal | null>
  list(tenant: TenantKey): Promise<readonly KeyRecord[]>
  hasAny(tenant: TenantKey): Promise<boolean>
}

export type KeyRecord = {
  readonly id: string
  readonly name: string
  readonly tenant: TenantKey
  readonly scopes: Principal['scopes']
  readonly createdAtMs: InstantMs
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    tenants: { tenant: string; created_at: Date }
    api_keys: { id: string; tenant: string; name: string; scopes: Json<readonly Scope[]>; secret_hash: string; created_at: Date }
  }
}

declare module '../changes.ts' {
  interface Topics {
    /** By id. */
    keys: string
  }
}

/** A tenant is created with its first key. */
export function sqlApiKeyStore(session: DatabaseSession): ApiKeyStore {
  return {
    create: ({ tenant, name, scopes, secretHash }) =>
      session.write(async ({ db, announce }) => {
        const nowMs = session.clock.now()
        const record: KeyRecord = { id: createRecordId('key', nowMs, session.randomBytes), tenant, name, scopes, createdAtMs: nowMs }
        const created_at = new Date(nowMs)
        await db
          .insertInto('tenants')
          .values({ tenant, created_at })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
        await db
          .insertInto('api_keys')
          .values({ id: record.id, tenant, name, scopes: JSON.stringify(scopes), secret_hash: secretHash, created_at })
          .execute()
        announce({ tenant, topic: 'keys', key: record.id })
        return record
      }),

    find: (secretHash) =>
      session.run(async (db) => {
        const row = await db
          .selectFrom('api_keys')
          .select(['id', 'tenant', 'scopes'])
          .where('secret_hash', '=', secretHash)
          .executeTakeFirst()
        return row === undefined ? null : { keyId: row.id, tenant: row.tenant as TenantKey, scopes: row.scopes }
      }),

    list: (tenant) =>
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

    hasAny: (tenant) =>
      session.run(async (db) => {
        const row = await db.selectFrom('api_keys').select('id').where('tenant', '=', tenant).limit(1).executeTakeFirst()
        return row !== undefined
      }),
  }
}
