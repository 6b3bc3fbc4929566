import { sql } from 'kysely'
import { refuse } from '../../../domain/refusal.ts'
import type { Catalog } from '../catalog.ts'
import type { CatalogSession } from '../engine/catalog-session.ts'

type Idempotency = Pick<Catalog, 'claimIdempotencyKey' | 'saveIdempotentAnswer' | 'releaseIdempotencyKey'>

const IDEMPOTENCY_KEY_TTL_MS = 24 * 3_600_000
/** A claim without an answer after this long is of a process that died; the same request may take it over. */
const CLAIM_LEASE_MS = 60_000
/** A claim adds one row at most and clears away up to this many, so the table holds what a day brought and no more. */
const EXPIRED_PER_CLAIM_MAX = 10

export function idempotencyTable(session: CatalogSession): Idempotency {
  return {
    claimIdempotencyKey: (tenant, key, requestHash, nowMs) =>
      session.write(async (trx) => {
        const now = new Date(nowMs)
        const claim = {
          request_hash: requestHash,
          status: null,
          body: null,
          claimed_at: now,
          expires_at: new Date(nowMs + IDEMPOTENCY_KEY_TTL_MS),
        }
        const abandonedBefore = new Date(nowMs - CLAIM_LEASE_MS)
        const claimed = await trx
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
            )`.execute(trx)
          return null
        }
        const first = await trx
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

    saveIdempotentAnswer: (tenant, key, { status, body }) =>
      session.run(async (db) => {
        await db.updateTable('idempotency_keys').set({ status, body }).where('tenant', '=', tenant).where('key', '=', key).execute()
      }),

    releaseIdempotencyKey: (tenant, key) =>
      session.run(async (db) => {
        await db.deleteFrom('idempotency_keys').where('tenant', '=', tenant).where('key', '=', key).where('status', 'is', null).execute()
      }),
  }
}
