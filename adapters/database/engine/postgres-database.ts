import { Kysely, PostgresDialect, sql } from 'kysely'
import { Pool } from 'pg'
import type { Logger } from 'pino'
import type { Clock } from '../../../base/clock.ts'
import type { Database } from '../database.ts'
import type { DatabaseTables, RandomBytes } from '../database-session.ts'
import { createChangeListeners } from './change-listeners.ts'
import { createKyselySession } from './kysely-session.ts'
import { migrateDatabase } from './migrate-database.ts'
import { announceToChannel, listenToChannel } from './postgres-change-channel.ts'
import { postgresFault } from './postgres-fault.ts'

export type PostgresDatabaseOptions = {
  readonly url: string
  readonly clock: Clock
  readonly randomBytes: RandomBytes
  readonly log: Logger
}

const CONNECTIONS_MAX = 10
const CONNECT_TIMEOUT_MS = 5_000
/** Our longest statement is a page of 1,000 rows; a statement that takes longer waits for a lock that it will not get. */
const STATEMENT_TIMEOUT_MS = 15_000

/** A PostgreSQL server, shared by any number of processes. */
export async function openPostgresDatabase({ url, clock, randomBytes, log }: PostgresDatabaseOptions): Promise<Database> {
  const pool = new Pool({
    connectionString: url,
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    application_name: 'tollgate',
  })
  // An idle connection that breaks leaves the pool; the next statement opens another.
  pool.on('error', (error) => log.warn({ err: error }, 'idle catalog connection lost'))
  const db = new Kysely<DatabaseTables>({ dialect: new PostgresDialect({ pool }) })
  const processId = Buffer.from(randomBytes(12)).toString('base64url')
  const listeners = createChangeListeners()
  const session = createKyselySession({ db, clock, randomBytes, listeners, announceToOthers: announceToChannel(processId) })
  try {
    const channel = await listenToChannel({ url, processId, clock, log, connectTimeoutMs: CONNECT_TIMEOUT_MS, listeners })
    return {
      session,
      changes: { subscribe: listeners.subscribe, heardUpToMs: channel.heardUpToMs },
      async migrate() {
        const names = await session.run(migrateDatabase)
        log.info({ migrations: names }, 'migrated the catalog')
      },
      async ping() {
        await sql`SELECT 1`.execute(db).catch((error: unknown) => {
          throw postgresFault(url, error)
        })
      },
      async stop() {
        await channel.stop()
        await db.destroy()
      },
    }
  } catch (error) {
    await db.destroy()
    throw postgresFault(url, error)
  }
}
