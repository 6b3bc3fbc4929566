import { sql } from 'kysely'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import { type Outcome, refuse } from '../../../domain/refusal.ts'
import type { DatabaseSession } from '../database-session.ts'

/** Requests with an `Idempotency-Key`: POSTs that create something. */
export type IdempotencyStore = {
  /**
   * Null when the key is new; the stored answer when the same request was answered before; refuses `idempotency_key_reused` (422)
   * for another body, `idempotency_key_in_use` (409) while the first request is under way.
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

export function sqlIdempotencyStore(session: DatabaseSession): IdempotencyStore {
  return {
    claim: (tenant, key, requestHash, nowMs) =>
      session.write(async ({ db }) => {
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
          await sql`
            DELETE FROM idempotency_keys WHERE (tenant, key) IN (
              SELECT tenant, key FROM idempotency_keys WHERE expires_at <= ${now} ORDER BY expires_at LIMIT ${EXPIRED_PER_CLAIM_MAX} FOR UPDATE SKIP LOCKED
            )`.execute(db)
          return null
        }
        const first = await db
          .selectFrom('idempotency_keys')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .executeTakeFirst()
        if (first !== undefined && first.request_hash !== requestHash) {
          return refuse('idempotency_key_reused', {})
        }
        if (first === undefined || first.status === null || first.body === null) {
          return refuse('idempotency_key_in_use', {})
        }
        return { status: first.status, body: first.body }
      }),

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
