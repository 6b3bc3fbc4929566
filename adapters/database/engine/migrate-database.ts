import { readdir, readFile } from 'node:fs/promises'
import { type Kysely, sql } from 'kysely'
import { invariant } from '../../../base/invariant.ts'
import type { DatabaseTables } from '../database-session.ts'

const MIGRATIONS = new URL('../../../schemas/database/', import.meta.url)
/** Any number that no other user of the database locks: 'TGCT' in ASCII. */
const MIGRATION_LOCK = 0x54474354

/**
 * Runs the SQL files that this database has not seen, in order, and records each of them, all in one transaction: a crash leaves
 * the old schema or the new one. Processes that start together queue on the lock.
 */
export async function migrateDatabase(db: Kysely<DatabaseTables>): Promise<readonly string[]> {
  const files = (await readdir(MIGRATIONS)).filter((name) => /^\d{4}_\w+\.sql$/.test(name)).sort()
  return await db.transaction().execute(async (trx) => {
    await sql`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`.execute(trx)
    await sql`CREATE TABLE IF NOT EXISTS catalog_migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`.execute(
      trx,
    )
    const applied = await sql<{ name: string }>`SELECT name FROM catalog_migrations`.execute(trx)
    const appliedNames = new Set(applied.rows.map(({ name }) => name))
    const unknown = [...appliedNames].filter((name) => !files.includes(name))
    invariant(unknown.length === 0, `the catalog was migrated by a newer version (${unknown.join(', ')}): run that version or newer`)
    const pending = files.filter((name) => !appliedNames.has(name))
    for (const name of pending) {
      for (const statement of statementsOf(await readFile(new URL(name, MIGRATIONS), 'utf8'))) await sql.raw(statement).execute(trx)
      await sql`INSERT INTO catalog_migrations (name) VALUES (${name})`.execute(trx)
    }
    return pending
  })
}

/** A statement of our files ends with a semicolon at the end of a line, outside the `$$` of a function's body; PGlite takes one statement at a time. */
function statementsOf(text: string): readonly string[] {
  return [...text.matchAll(/(?:\$\$[\s\S]*?\$\$|(?!;$)[\s\S])+/gm)]
    .map(([statement]) => statement.replace(/^;/, '').trim())
    .filter((statement) => statement !== '')
}
