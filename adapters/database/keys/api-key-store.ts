import { type ColumnType, type Selectable, sql } from 'kysely'
import { END_OF_TIME_MS, type InstantMs, type TenantKey } from '../../../domain/identity.ts'
import type { KeyKind, Narrowing, Principal, Scope } from '../../../domain/principal.ts'
import { isRefusal, type Outcome, refuse } from '../../../domain/refusal.ts'
import type { DatabaseSession, DatabaseTransaction, Json } from '../database-session.ts'
import { createRecordId } from '../record-id.ts'

/** Keys are stored as SHA-256 of the secret. A tenant is created with its first key. */
export type ApiKeyStore = {
  create(key: NewKey): Promise<KeyRecord>
  /** The key that this is a secret of, unless it has ended. */
  find(secretHash: string): Promise<FoundKey | null>
  /** In the order in which they were made, ended ones too. */
  list(tenant: TenantKey): Promise<readonly KeyRecord[]>
  get(tenant: TenantKey, id: string): Promise<KeyRecord | null>
  hasAny(tenant: TenantKey): Promise<boolean>
  /** From now on no secret of it is good; ending it again changes nothing. Refusals: `unknown_key`, `last_admin_key`, `configured_key`. */
  end(tenant: TenantKey, id: string): Promise<Outcome<KeyRecord>>
  /** A new secret; the one until now is good for `graceMs` more. Refusals: `unknown_key`, `key_has_ended`, `configured_key`. */
  rotate(tenant: TenantKey, id: string, secretHash: string, graceMs: number): Promise<Outcome<KeyRecord>>
  /** Makes this the secret of the configured admin key, and ends the one that was configured before. */
  configure(tenant: TenantKey, secretHash: string): Promise<void>
  /** Notes that these keys were used now. */
  used(ids: readonly string[]): Promise<void>
}

export type NewKey = {
  readonly tenant: TenantKey
  readonly name: string
  readonly scopes: Principal['scopes']
  readonly secretHash: string
  /** By default secret. */
  readonly kind?: KeyKind
  readonly only?: Narrowing | null
  /** The id of a key; null for the setting and the command line. */
  readonly createdBy?: string | null
  readonly expiresAtMs?: InstantMs | null
  /** Addresses and CIDR ranges it may come from; empty: from anywhere. */
  readonly allowedFrom?: readonly string[]
}

export type KeyRecord = Required<Omit<NewKey, 'secretHash'>> & {
  readonly id: string
  readonly createdAtMs: InstantMs
  readonly endedAtMs: InstantMs | null
  readonly lastUsedAtMs: InstantMs | null
  /** It is the key of the setting. */
  readonly isConfigured: boolean
}

export type FoundKey = {
  readonly principal: Principal
  readonly allowedFrom: readonly string[]
  /** The secret is good before this instant, unless the key is changed. */
  readonly untilMs: InstantMs
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    tenants: { tenant: string; created_at: Date }
    api_keys: ApiKeysTable
    api_key_uses: { id: string; last_used_at: Date }
  }
}

type ApiKeysTable = {
  id: string
  tenant: string
  name: string
  scopes: Json<readonly Scope[]>
  secret_hash: string
  created_at: Date
  created_by: string | null
  expires_at: Date | null
  ended_at: Date | null
  allowed_from: Json<readonly string[]>
  previous_hash: string | null
  previous_until: Date | null
  is_configured: boolean
  kind: KeyKind
  narrowed_to: ColumnType<Narrowing | null, string | null, string | null>
}

declare module '../changes.ts' {
  interface Topics {
    /** By id. */
    keys: string
  }
}

const CONFIGURED_NAME = 'configured admin key'

export function sqlApiKeyStore(session: DatabaseSession): ApiKeyStore {
  const { clock } = session

  async function insert({ db, announce }: DatabaseTransaction, key: NewKey, isConfigured = false): Promise<KeyRecord> {
    const { tenant, name, scopes, secretHash, kind = 'secret', only = null, createdBy = null, expiresAtMs = null, allowedFrom = [] } = key
    const nowMs = clock.now()
    const id = createRecordId('key', nowMs, session.randomBytes)
    await makeTenant(db, tenant)
    const row = await db
      .insertInto('api_keys')
      .values({
        ...{ id, tenant, name, scopes: JSON.stringify(scopes), secret_hash: secretHash, created_at: new Date(nowMs) },
        ...{ created_by: createdBy, expires_at: expiresAtMs === null ? null : new Date(expiresAtMs) },
        ...{ allowed_from: JSON.stringify(allowedFrom), is_configured: isConfigured, kind },
        narrowed_to: only === null ? null : JSON.stringify(only),
      })
      .returningAll()
      .executeTakeFirstOrThrow()
    announce({ tenant, topic: 'keys', key: id })
    return recordOf({ ...row, last_used_at: null })
  }

  async function makeTenant(db: DatabaseTransaction['db'], tenant: TenantKey): Promise<void> {
    await db
      .insertInto('tenants')
      .values({ tenant, created_at: new Date(clock.now()) })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }

  /** Whoever else changes keys of the tenant waits until we commit. */
  async function lockKeys(db: DatabaseTransaction['db'], tenant: TenantKey): Promise<void> {
    await db.selectFrom('tenants').select('tenant').where('tenant', '=', tenant).forUpdate().execute()
  }

  const records = (tenant: TenantKey, id?: string) =>
    session.run(async (db) => {
      const rows = await db
        .selectFrom('api_keys')
        .leftJoin('api_key_uses', 'api_key_uses.id', 'api_keys.id')
        .selectAll('api_keys')
        .select('api_key_uses.last_used_at')
        .where('tenant', '=', tenant)
        .$if(id !== undefined, (query) => query.where('api_keys.id', '=', id ?? ''))
        .orderBy('api_keys.id')
        .execute()
      return rows.map(recordOf)
    })

  /** Changes one key, with all keys of its tenant locked, so that of two that end the last two admin keys one is refused. */
  function change(
    tenant: TenantKey,
    id: string,
    decide: (key: KeyRow, others: readonly KeyRow[], nowMs: InstantMs) => Outcome<KeyChange>,
  ): Promise<Outcome<KeyRecord>> {
    return session.write(async ({ db, announce }) => {
      await lockKeys(db, tenant)
      const rows = await db.selectFrom('api_keys').selectAll().where('tenant', '=', tenant).execute()
      const key = rows.find((row) => row.id === id)
      if (key === undefined) return refuse('unknown_key', { key: id })
      const changed = decide(
        key,
        rows.filter((row) => row !== key),
        clock.now(),
      )
      if (isRefusal(changed)) return changed
      if (Object.keys(changed).length > 0) {
        await db.updateTable('api_keys').set(changed).where('id', '=', id).execute()
        announce({ tenant, topic: 'keys', key: id })
      }
      const use = await db.selectFrom('api_key_uses').select('last_used_at').where('id', '=', id).executeTakeFirst()
      return recordOf({ ...key, ...changed, last_used_at: use?.last_used_at ?? null })
    })
  }

  return {
    create: (key) => session.write((trx) => insert(trx, key)),
    list: (tenant) => records(tenant),
    get: async (tenant, id) => (await records(tenant, id))[0] ?? null,

    find: (secretHash) =>
      session.run(async (db) => {
        const row = await db
          .selectFrom('api_keys')
          .selectAll()
          .where(({ eb, or }) => or([eb('secret_hash', '=', secretHash), eb('previous_hash', '=', secretHash)]))
          .where('ended_at', 'is', null)
          .executeTakeFirst()
        if (row === undefined) return null
        const ends = [row.expires_at, row.secret_hash === secretHash ? null : row.previous_until]
        const untilMs = Math.min(END_OF_TIME_MS, ...ends.flatMap((end) => (end === null ? [] : [end.getTime()]))) as InstantMs
        if (clock.now() >= untilMs) return null
        const principal: Principal = {
          ...{ keyId: row.id, tenant: row.tenant as TenantKey, scopes: row.scopes },
          ...(row.kind === 'secret' ? {} : { kind: row.kind }),
          ...(row.narrowed_to === null ? {} : { only: row.narrowed_to }),
        }
        return { principal, allowedFrom: row.allowed_from, untilMs }
      }),

    hasAny: (tenant) =>
      session.run(async (db) => {
        const row = await db.selectFrom('api_keys').select('id').where('tenant', '=', tenant).limit(1).executeTakeFirst()
        return row !== undefined
      }),

    end: (tenant, id) =>
      change(tenant, id, (key, others, nowMs) => {
        if (key.ended_at !== null) return {}
        if (key.is_configured) return refuse('configured_key', { key: id })
        if (isLastingAdmin(key) && !others.some(isLastingAdmin)) return refuse('last_admin_key', { key: id })
        return { ended_at: new Date(nowMs) }
      }),

    rotate: (tenant, id, secretHash, graceMs) =>
      change(tenant, id, (key, _others, nowMs) => {
        if (key.is_configured) return refuse('configured_key', { key: id })
        const endMs = Math.min(key.ended_at?.getTime() ?? END_OF_TIME_MS, key.expires_at?.getTime() ?? END_OF_TIME_MS)
        if (endMs <= nowMs) return refuse('key_has_ended', { key: id, endedAt: new Date(endMs).toISOString() })
        return { secret_hash: secretHash, previous_hash: key.secret_hash, previous_until: new Date(nowMs + graceMs) }
      }),

    configure: (tenant, secretHash) =>
      session.write(async (trx) => {
        const { db, announce } = trx
        await makeTenant(db, tenant)
        await lockKeys(db, tenant)
        const known = await db.selectFrom('api_keys').selectAll().where('secret_hash', '=', secretHash).executeTakeFirst()
        if (known?.is_configured === true && known.ended_at === null) return
        const replaced = await db
          .updateTable('api_keys')
          .set({ ended_at: new Date(clock.now()), is_configured: false })
          .where('tenant', '=', tenant)
          .where('is_configured', '=', true)
          .returning('id')
          .execute()
        for (const { id } of replaced) announce({ tenant, topic: 'keys', key: id })
        if (known === undefined) {
          await insert(trx, { tenant, name: CONFIGURED_NAME, scopes: ['admin'], secretHash }, true)
          return
        }
        await db.updateTable('api_keys').set({ is_configured: true, ended_at: null, expires_at: null }).where('id', '=', known.id).execute()
        announce({ tenant, topic: 'keys', key: known.id })
      }),

    used: (ids) =>
      session.run(async (db) => {
        if (ids.length === 0) return
        await sql`
          INSERT INTO api_key_uses (id, last_used_at)
          SELECT id, ${new Date(clock.now()).toISOString()}::timestamptz FROM api_keys WHERE id = ANY(${[...ids]})
          ON CONFLICT (id) DO UPDATE SET last_used_at = excluded.last_used_at`.execute(db)
      }),
  }
}

type KeyRow = Selectable<ApiKeysTable>
type KeyChange = Partial<Pick<KeyRow, 'ended_at' | 'secret_hash' | 'previous_hash' | 'previous_until'>>

/** An admin key that stays and can make keys: what ends by itself, or is narrowed, cannot be the last one. */
function isLastingAdmin({ scopes, narrowed_to, ended_at, expires_at }: KeyRow): boolean {
  return scopes.includes('admin') && narrowed_to === null && ended_at === null && expires_at === null
}

function recordOf(row: KeyRow & { readonly last_used_at: Date | null }): KeyRecord {
  const instantOf = (date: Date | null) => (date === null ? null : (date.getTime() as InstantMs))
  return {
    ...{ id: row.id, tenant: row.tenant as TenantKey, name: row.name, scopes: row.scopes, isConfigured: row.is_configured },
    ...{ kind: row.kind, only: row.narrowed_to },
    ...{ createdAtMs: row.created_at.getTime() as InstantMs, createdBy: row.created_by, allowedFrom: row.allowed_from },
    ...{ expiresAtMs: instantOf(row.expires_at), endedAtMs: instantOf(row.ended_at), lastUsedAtMs: instantOf(row.last_used_at) },
  }
}
