import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { Principal, Scope } from '../../../domain/principal.ts'
import type { DatabaseSession } from '../database-session.ts'
import { createRecordId } from '../record-id.ts'

/** Sessions of the console, each of a key. The token is stored as its SHA-256. */
export type ConsoleSessionStore = {
  create(session: NewConsoleSession): Promise<ConsoleSession>
  /** The session with this token and what its key may do; null when either has ended. */
  find(tokenHash: string): Promise<FoundConsoleSession | null>
  /** Those that have not ended, newest first; 100 at most. */
  list(tenant: TenantKey): Promise<readonly ConsoleSession[]>
  /** False when the tenant has no such session that goes on. */
  end(tenant: TenantKey, id: string): Promise<boolean>
}

export type NewConsoleSession = {
  readonly tenant: TenantKey
  readonly keyId: string
  readonly tokenHash: string
  readonly expiresAtMs: InstantMs
  readonly address: string
  readonly browser: string
}
export type ConsoleSession = Omit<NewConsoleSession, 'tokenHash'> & {
  readonly id: string
  readonly keyName: string
  readonly createdAtMs: InstantMs
}
export type FoundConsoleSession = { readonly session: ConsoleSession; readonly principal: Principal }

declare module '../database-session.ts' {
  interface DatabaseTables {
    console_sessions: {
      id: string
      tenant: string
      key_id: string
      token_hash: string
      created_at: Date
      expires_at: Date
      ended_at: Date | null
      address: string
      browser: string
    }
  }
}

declare module '../changes.ts' {
  interface Topics {
    /** By id. */
    consoleSessions: string
  }
}

const LISTED_MAX = 100

export function sqlConsoleSessionStore(session: DatabaseSession): ConsoleSessionStore {
  const { clock } = session

  /** Sessions that go on, with keys that do. */
  const going = (column: 'token_hash' | 'tenant', value: string) =>
    session.run((db) => {
      const now = new Date(clock.now())
      return db
        .selectFrom('console_sessions')
        .innerJoin('api_keys', 'api_keys.id', 'console_sessions.key_id')
        .selectAll('console_sessions')
        .select(['api_keys.name as key_name', 'api_keys.scopes as scopes'])
        .where(`console_sessions.${column}`, '=', value)
        .where('console_sessions.ended_at', 'is', null)
        .where('console_sessions.expires_at', '>', now)
        .where('api_keys.ended_at', 'is', null)
        .where(({ eb, or }) => or([eb('api_keys.expires_at', 'is', null), eb('api_keys.expires_at', '>', now)]))
        .orderBy('console_sessions.created_at', 'desc')
        .limit(LISTED_MAX)
        .execute()
    })

  return {
    create: (made) =>
      session.write(async ({ db, announce }) => {
        const nowMs = clock.now()
        const id = createRecordId('ses', nowMs, session.randomBytes)
        const { tenant, keyId, tokenHash, expiresAtMs, address, browser } = made
        await db
          .insertInto('console_sessions')
          .values({
            ...{ id, tenant, key_id: keyId, token_hash: tokenHash, address, browser },
            ...{ created_at: new Date(nowMs), expires_at: new Date(expiresAtMs) },
          })
          .execute()
        announce({ tenant, topic: 'consoleSessions', key: id })
        const key = await db.selectFrom('api_keys').select('name').where('id', '=', keyId).executeTakeFirstOrThrow()
        return { id, tenant, keyId, keyName: key.name, expiresAtMs, address, browser, createdAtMs: nowMs }
      }),

    async find(tokenHash) {
      const [row] = await going('token_hash', tokenHash)
      if (row === undefined) return null
      const principal = { keyId: row.key_id, tenant: row.tenant as TenantKey, scopes: row.scopes }
      return { session: sessionOf(row), principal }
    },

    list: async (tenant) => (await going('tenant', tenant)).map(sessionOf),

    end: (tenant, id) =>
      session.write(async ({ db, announce }) => {
        const { numUpdatedRows } = await db
          .updateTable('console_sessions')
          .set({ ended_at: new Date(clock.now()) })
          .where('tenant', '=', tenant)
          .where('id', '=', id)
          .where('ended_at', 'is', null)
          .executeTakeFirst()
        if (numUpdatedRows === 0n) return false
        announce({ tenant, topic: 'consoleSessions', key: id })
        return true
      }),
  }
}

type SessionRow = {
  readonly id: string
  readonly tenant: string
  readonly key_id: string
  readonly key_name: string
  readonly scopes: readonly Scope[]
  readonly created_at: Date
  readonly expires_at: Date
  readonly address: string
  readonly browser: string
}

function sessionOf(row: SessionRow): ConsoleSession {
  return {
    ...{ id: row.id, tenant: row.tenant as TenantKey, keyId: row.key_id, keyName: row.key_name },
    ...{ createdAtMs: row.created_at.getTime() as InstantMs, expiresAtMs: row.expires_at.getTime() as InstantMs },
    ...{ address: row.address, browser: row.browser },
  }
}
