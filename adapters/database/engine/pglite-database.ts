import { cp } from 'node:fs/promises'
import { Kysely, PGliteDialect, sql } from 'kysely'
import type { Logger } from 'pino'
import type { Clock } from '../../../base/clock.ts'
import type { Database } from '../database.ts'
import type { DatabaseTables, RandomBytes } from '../database-session.ts'
import { createChangeListeners } from './change-listeners.ts'
import { createKyselySession } from './kysely-session.ts'
import { migrateDatabase } from './migrate-database.ts'
import { openRestartingPGlite } from './restarting-pglite.ts'

export type PGliteDatabaseOptions = {
  /** A directory for the database alone, created when it does not exist. The caller makes sure that one process at a time uses it. */
  readonly path: string
  readonly clock: Clock
  readonly randomBytes: RandomBytes
  readonly log: Logger
}

/**
 * PGlite has no background process for checkpoints, so without these the WAL grows until the next start. This many statements
 * write about 10 MB of it.
 */
const STATEMENTS_PER_CHECKPOINT = 10_000

/** PostgreSQL compiled to WebAssembly, in this process. Resolved changes survive kill -9 and loss of power. */
export async function openPGliteDatabase({ path, clock, randomBytes, log }: PGliteDatabaseOptions): Promise<Database> {
  const startedAtMs = clock.now()
  const pglite = await openRestartingPGlite({ path, clock, log })
  let statements = 0
  const db: Kysely<DatabaseTables> = new Kysely({
    dialect: new PGliteDialect({ pglite }),
    log: ({ level }) => {
      if (level === 'query' && ++statements % STATEMENTS_PER_CHECKPOINT === 0) checkpoint(db, log)
    },
  })
  log.info({ path, tookMs: clock.now() - startedAtMs }, 'opened the embedded catalog')
  const listeners = createChangeListeners()
  const session = createKyselySession({ db, clock, randomBytes, listeners })
  return {
    session,
    // No other process can change this database.
    changes: { subscribe: listeners.subscribe, heardUpToMs: () => clock.now() },
    async migrate() {
      const names = await session.run(migrateDatabase)
      log.info({ migrations: names }, 'migrated the catalog')
    },
    ping: () => session.run(async () => void (await sql`SELECT 1`.execute(db))),
    async snapshot(directory) {
      // The fewer pages wait to be written, the sooner the copy can be opened.
      await session.run((kysely) => sql`CHECKPOINT`.execute(kysely))
      await pglite.whileStill(() => cp(path, directory, { recursive: true }))
    },
    async stop() {
      await db.destroy()
      if (!pglite.closed) await pglite.close()
    },
  }
}

/** Queues behind the statements under way. The next checkpoint, or recovery at the next start, makes up for one that fails. */
function checkpoint(db: Kysely<DatabaseTables>, log: Logger): void {
  sql`CHECKPOINT`.execute(db).catch((error: unknown) => log.warn({ err: error }, 'checkpoint of the embedded catalog failed'))
}
