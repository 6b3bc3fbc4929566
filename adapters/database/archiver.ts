import { sql } from 'kysely'
import type { TenantKey } from '../../domain/identity.ts'
import { type Refusal, refuse } from '../../domain/refusal.ts'
import type { Change } from './changes.ts'
import type { DatabaseSession } from './database-session.ts'

export type Archiver<Key extends string, Value> = {
  /** May be repeated: the first time stays. Null when there is no such record. */
  archive(tenant: TenantKey, key: Key, isArchived: boolean): Promise<Value | null>
}

/** The tables with `archived_at`; each is also the topic of its changes. */
type ArchivableTable = 'customers' | 'features' | 'products' | 'plans'

export function archiver<Key extends string, Value>(
  session: DatabaseSession,
  table: ArchivableTable,
  get: (tenant: TenantKey, key: Key) => Promise<Value | null>,
): Archiver<Key, Value>['archive'] {
  return async (tenant, key, isArchived) => {
    await session.write(async ({ db, announce }) => {
      const now = new Date(session.clock.now())
      const { rows } = await sql`
        UPDATE ${sql.table(table)} SET archived_at = ${isArchived ? now : null}, updated_at = ${now}
        WHERE tenant = ${tenant} AND key = ${key} AND (archived_at IS NULL) = ${isArchived} RETURNING key`.execute(db)
      if (rows.length > 0) announce({ tenant, topic: table, key } as unknown as Change)
    })
    return await get(tenant, key)
  }
}

/** Refuses what is sold or attached anew when it is archived. */
export function refuseArchived(kind: 'customer' | 'feature' | 'product' | 'plan', key: string, archivedAt: Date | null): Refusal | null {
  return archivedAt === null ? null : refuse('archived', { kind, key, archivedMs: archivedAt.getTime() })
}
