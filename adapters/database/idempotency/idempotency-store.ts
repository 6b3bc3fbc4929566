import { type Kysely, sql } from 'kysely'
import { createBoundedMap } from '../../../base/bounds/bounded-map.ts'
import { createSharedWork } from '../../../base/shared-work.ts'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import { type Outcome, refuse } from '../../../domain/refusal.ts'
import type { DatabaseSession, DatabaseTables } from '../database-session.ts'
import { IDEMPOTENCY_BOUNDS } from './idempotency-bounds.ts'

/** Requests with an `Idempotency-Key`: POSTs that create something. */
export type IdempotencyStore = {
  /**
   * Null when the key is new; the stored answer when the same request was answered before; refuses `idempotency_key_reused` (422)
   * for another body, `idempotency_key_in_use` (409) while the first request is under way, and a new key with
   * `too_many_idempotency_keys` (429) while its tenant has as many as are kept.
   */
  claim(tenant: TenantKey, key: string, requestHash: string, nowMs: InstantMs): Promise<Outcome<IdempotentAnswer | null>>
  save(tenant: TenantKey, key: string, answer: IdempotentAnswer): Promise<void>
  /** Forgets a claim that has no answer. */
  release(tenant: TenantKey, key: string): Promise<void>
}

export type IdempotentAnswer = { readonly status: number; readonly body: string }

declare module '../database-session.ts' {
  interface DatabaseTables {
    idempotency_keys: {
      tenant: string
      key: string
      request_hash: string
      status: number | null
      body: string | null
      claimed_at: Date
      expires_at: Date
    }
  }
}

const IDEMPOTENCY_KEY_TTL_MS = 24 * 3_600_000
/** A claim without an answer after this long belongs to a process that died; the same request may take it over. */
const CLAIM_LEASE_MS = 60_000
/** A claim adds at most one row and removes up to this many expired ones, so the table holds no more than a day of requests. */
const EXPIRED_PER_CLAIM_MAX = 10
const EXPIRED_PER_COUNT_MAX = 5_000
/** How long a tenant with all its keys is refused until they are counted again, which reads each of them. */
const COUNT_EVERY_MS = 60_000
/** Tenants whose number of keys is remembered; one that is pushed out is counted again. */
const TENANTS_COUNTED_MAX = 10_000

export function sqlIdempotencyStore(session: DatabaseSession, keysOfTenantMax: number = IDEMPOTENCY_BOUNDS.keys.most): IdempotencyStore {
  const counting = createSharedWork<TenantKey, KeyCount>()
  const counts = createBoundedMap<TenantKey, KeyCount>(TENANTS_COUNTED_MAX)

  /**
   * Keys of the tenant: counted when this process first sees it and when it may be at its bound; in between what this process
   * claims is added. So processes that share the database go beyond the bound by what they claim between two counts.
   */
  async function countOf(tenant: TenantKey, nowMs: InstantMs): Promise<KeyCount> {
    const known = counts.get(tenant)
    if (known !== undefined && (known.keys < keysOfTenantMax || nowMs - known.countedAtMs < COUNT_EVERY_MS)) return known
    return await counting(tenant, () => count(tenant, nowMs))
  }

  async function count(tenant: TenantKey, nowMs: InstantMs): Promise<KeyCount> {
    const keys = await session.run(async (db) => {
      await deleteExpired(db, nowMs, EXPIRED_PER_COUNT_MAX)
      const { rows } = await sql<{ readonly keys: string | number }>`
        SELECT count(*) AS keys FROM (SELECT FROM idempotency_keys WHERE tenant = ${tenant} LIMIT ${keysOfTenantMax}) AS kept`.execute(db)
      return Number(rows[0]?.keys)
    })
    const counted = { keys, countedAtMs: nowMs }
    counts.set(tenant, counted)
    return counted
  }

  return {
    claim: async (tenant, key, requestHash, nowMs) => {
      const kept = await countOf(tenant, nowMs)
      return await session.write(async ({ db }) => {
        if (kept.keys >= keysOfTenantMax && (await find(db, tenant, key)) === undefined) {
          return refuse('too_many_idempotency_keys', { keysMax: keysOfTenantMax })
        }
        const now = new Date(nowMs)
        const claim = {
          request_hash: requestHash,
          status: null,
          body: null,
          claimed_at: now,
          expires_at: new Date(nowMs + IDEMPOTENCY_KEY_TTL_MS),
        }
        const abandonedBefore = new Date(nowMs - CLAIM_LEASE_MS)
        const claimed = await db
          .insertInto('idempotency_keys')
          .values({ tenant, key, ...claim })
          .onConflict((conflict) =>
            conflict
              .columns(['tenant', 'key'])
              .doUpdateSet(claim)
              .where(({ eb }) =>
                eb.or([
                  eb('idempotency_keys.expires_at', '<=', now),
                  eb.and([
                    eb('idempotency_keys.status', 'is', null),
                    eb('idempotency_keys.request_hash', '=', requestHash),
                    eb('idempotency_keys.claimed_at', '<=', abandonedBefore),
                  ]),
                ]),
              ),
          )
          .returning('key')
          .executeTakeFirst()
        if (claimed !== undefined) {
          kept.keys++
          await deleteExpired(db, nowMs, EXPIRED_PER_CLAIM_MAX)
          return null
        }
        const first = await find(db, tenant, key)
        if (first !== undefined && first.request_hash !== requestHash) {
          return refuse('idempotency_key_reused', {})
        }
        if (first === undefined || first.status === null || first.body === null) {
          return refuse('idempotency_key_in_use', {})
        }
        return { status: first.status, body: first.body }
      })
    },

    save: (tenant, key, { status, body }) =>
      session.run(async (db) => {
        await db.updateTable('idempotency_keys').set({ status, body }).where('tenant', '=', tenant).where('key', '=', key).execute()
      }),

    release: (tenant, key) =>
      session.run(async (db) => {
        await db.deleteFrom('idempotency_keys').where('tenant', '=', tenant).where('key', '=', key).where('status', 'is', null).execute()
      }),
  }
}

type KeyCount = { keys: number; readonly countedAtMs: InstantMs }

function find(db: Kysely<DatabaseTables>, tenant: TenantKey, key: string) {
  return db.selectFrom('idempotency_keys').selectAll().where('tenant', '=', tenant).where('key', '=', key).executeTakeFirst()
}

async function deleteExpired(db: Kysely<DatabaseTables>, nowMs: InstantMs, rowsMax: number): Promise<void> {
  await sql`
    DELETE FROM idempotency_keys WHERE (tenant, key) IN (
      SELECT tenant, key FROM idempotency_keys WHERE expires_at <= ${new Date(nowMs)} ORDER BY expires_at LIMIT ${rowsMax} FOR UPDATE SKIP LOCKED
    )`.execute(db)
}
