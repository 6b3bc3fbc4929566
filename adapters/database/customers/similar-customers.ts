import { type Kysely, sql } from 'kysely'
import type { CustomerKey, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseTables } from '../database-session.ts'

/** Which of the given keys exist as customers, and for the others the customer with the same letters in other case, by given key. */
export type SimilarCustomers = { readonly existing: ReadonlySet<CustomerKey>; readonly similar: ReadonlyMap<CustomerKey, CustomerKey> }

/** Letters of other scripts are compared as they are, as the keys' collation has no case for them. */
export async function selectSimilarCustomers(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  keys: readonly CustomerKey[],
): Promise<SimilarCustomers> {
  const { rows } = await sql<{ asked: CustomerKey; key: CustomerKey }>`
    SELECT asked, key FROM unnest(${[...keys]}::text[]) AS asked
    JOIN customers ON tenant = ${tenant} AND lower(key) = lower(asked COLLATE "C")`.execute(db)
  const existing = new Set(rows.flatMap(({ asked, key }) => (asked === key ? [key] : [])))
  const similar = new Map(rows.flatMap(({ asked, key }) => (asked === key ? [] : [[asked, key] as const])))
  return { existing, similar }
}
