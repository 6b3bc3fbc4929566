import { type SqlBool, sql } from 'kysely'
import { invariant } from '../../../base/invariant.ts'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { Acting } from '../acting.ts'
import type { DatabaseSession } from '../database-session.ts'
import { keyAfter, listName, type Page, type PageRequest, pageOf } from '../page.ts'

/** Changes on record; the database itself appends them, in the transaction of each change. */
export type AuditStore = {
  /** Newest first. */
  list(tenant: TenantKey, page: PageRequest, filter: AuditFilter): Promise<Page<AuditEntry>>
  /** Works out every hash again. */
  check(tenant: TenantKey): Promise<AuditCheck>
  /** Takes entries from before this instant off the beginning of the chains, up to a bound; how many. */
  prune(beforeMs: InstantMs): Promise<number>
}

export type AuditFilter = {
  readonly actor?: string | undefined
  readonly objectType?: string | undefined
  readonly object?: string | undefined
  readonly fromMs?: InstantMs | undefined
  readonly toMs?: InstantMs | undefined
}

export type AuditEntry = {
  /** From 1, without a gap, in the order of the transactions of a tenant. */
  readonly sequence: number
  readonly atMs: InstantMs
  readonly acting: Acting
  readonly objectType: string
  readonly object: string
  readonly change: 'created' | 'changed' | 'deleted'
  /** Rows of the database, as they were stored; null before a creation and after a deletion. */
  readonly before: Readonly<Record<string, unknown>> | null
  readonly after: Readonly<Record<string, unknown>> | null
  readonly previousHash: string
  readonly hash: string
}

export type AuditCheck = {
  readonly entries: number
  /** The first entry that is not what was written, or that is missing; null: all are there and as they were. */
  readonly brokenAt: number | null
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    audit_log: {
      tenant: string
      /** A number on the embedded engine. */
      sequence: string | number
      at: Date
      actor: string
      acting: Omit<Acting, 'actor'>
      object_type: string
      object: string
      change: AuditEntry['change']
      before: AuditEntry['before']
      after: AuditEntry['after']
      previous_hash: string
      hash: string
    }
  }
}

const PRUNED_AT_ONCE = 10_000

export function sqlAuditStore(session: DatabaseSession): AuditStore {
  return {
    list: (tenant, page, filter) =>
      session.run(async (db) => {
        const list = listName('audit', filter)
        const after = keyAfter(list, page)
        const { actor, objectType, object, fromMs, toMs } = filter
        const rows = await db
          .selectFrom('audit_log')
          .selectAll()
          .where('tenant', '=', tenant)
          .$if(after !== '', (query) => query.where('sequence', '<', after))
          .$if(actor !== undefined, (query) => query.where('actor', '=', actor ?? ''))
          .$if(objectType !== undefined, (query) => query.where('object_type', '=', objectType ?? ''))
          .$if(object !== undefined, (query) => query.where('object', '=', object ?? ''))
          .$if(fromMs !== undefined, (query) => query.where('at', '>=', new Date(fromMs ?? 0)))
          .$if(toMs !== undefined, (query) => query.where('at', '<', new Date(toMs ?? 0)))
          .orderBy('sequence', 'desc')
          .limit(page.limit + 1)
          .execute()
        return pageOf(
          list,
          rows,
          page,
          ({ sequence }) => String(sequence),
          (row) => ({
            ...{ sequence: Number(row.sequence), atMs: row.at.getTime() as InstantMs, acting: { actor: row.actor, ...row.acting } },
            ...{ objectType: row.object_type, object: row.object, change: row.change, before: row.before, after: row.after },
            ...{ previousHash: row.previous_hash, hash: row.hash },
          }),
        )
      }),

    check: (tenant) =>
      session.snapshot(async (db) => {
        const { rows } = await sql<{ entries: string; broken_at: string | null }>`
          WITH chain AS (
            SELECT sequence, hash, audit_hash(entry) AS again, previous_hash,
              lag(hash) OVER chained AS hash_before, lag(sequence) OVER chained AS sequence_before
            FROM audit_log AS entry WHERE tenant = ${tenant} WINDOW chained AS (ORDER BY sequence)),
          broken AS (
            SELECT sequence FROM chain
            WHERE hash <> again OR (sequence_before IS NOT NULL AND (hash_before <> previous_hash OR sequence_before <> sequence - 1))
            UNION ALL
            SELECT sequence FROM audit_heads AS head
            WHERE tenant = ${tenant}
              AND (hash, sequence) IS DISTINCT FROM (SELECT (hash, sequence) FROM chain ORDER BY sequence DESC LIMIT 1)
              AND EXISTS (SELECT FROM chain))
          SELECT (SELECT count(*) FROM chain)::text AS entries, (SELECT min(sequence) FROM broken)::text AS broken_at`.execute(db)
        const [found] = rows
        invariant(found !== undefined, 'a query of sums has a row')
        return { entries: Number(found.entries), brokenAt: found.broken_at === null ? null : Number(found.broken_at) }
      }),

    prune: (beforeMs) =>
      session.run(async (db) => {
        // The newest entry stays, so that the chain has an end to be checked against.
        const pruned = await db
          .deleteFrom('audit_log')
          .where(
            sql<SqlBool>`(tenant, sequence) IN (
              SELECT tenant, sequence FROM audit_log AS old
              WHERE at < ${new Date(beforeMs).toISOString()}::timestamptz
                AND sequence < (SELECT sequence FROM audit_heads AS head WHERE head.tenant = old.tenant)
              ORDER BY tenant, sequence LIMIT ${PRUNED_AT_ONCE})`,
          )
          .executeTakeFirst()
        return Number(pruned.numDeletedRows)
      }),
  }
}
