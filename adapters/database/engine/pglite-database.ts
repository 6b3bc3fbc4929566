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
  /** A directory of its own, made when it is not there. The caller sees to it that one process at a time has it. */
  readonly path: string
  readonly clock: Clock
  readonly randomBytes: RandomBytes
  readonly log: Logger
}

/** PGlite has no background process that would checkpoint by itself: without this the WAL grows until the next start. About 10 MB of it. */
const STATEMENTS_PER_CHECKPOINT = 10_000

/** PostgreSQL compiled to WebAssembly, in this process. What a promise resolved for survives kill -9 and loss of power. */
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
    // Nobody else can change what is kept here.
    changes: { subscribe: listeners.subscribe, heardUpToMs: () => clock.now() },
    async migrate() {
      const names = await session.run(migrateDatabase)
      log.info({ migrations: names }, 'migrated the catalog')
    },
    ping: () => session.run(async () => void (await sql`SELECT 1`.execute(db))),
    async stop() {
      await db.destroy()
      if (!pglite.closed) await pglite.close()
    },
  }
}

/** Queues behind the statements under way. One that fails is made up for by the next, or by recovery at the next start. */
function checkpoint(db: Kysely<DatabaseTables>, log: Logger): void {
  sql`CHECKPOINT`.execute(db).catch((error: unknown) => log.warn({ err: error }, 'checkpoint of the embedded catalog failed'))
}
