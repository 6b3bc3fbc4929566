import { Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import type { Logger } from 'pino'
import type { Clock } from '../../../base/clock.ts'
import type { CatalogTables } from '../../../schemas/database/catalog-tables.ts'
import type { Catalog } from '../catalog.ts'
import { createCatalogSession } from './catalog-session.ts'
import { announceToChannel, listenToChannel } from './postgres-change-channel.ts'
import { postgresFault } from './postgres-fault.ts'
import type { RandomBytes } from './record-id.ts'
import { createSqlCatalog } from './sql-catalog.ts'

export type PostgresCatalogOptions = {
  readonly url: string
  readonly clock: Clock
  readonly randomBytes: RandomBytes
  readonly log: Logger
}

const CONNECTIONS_MAX = 10
const CONNECT_TIMEOUT_MS = 5_000
/** Our longest statement is a page of 1,000 rows; what takes longer waits for a lock that is not coming. */
const STATEMENT_TIMEOUT_MS = 15_000

/** The catalog on a PostgreSQL server, shared by any number of processes. */
export async function openPostgresCatalog({ url, clock, randomBytes, log }: PostgresCatalogOptions): Promise<Catalog> {
  const pool = new Pool({
    connectionString: url,
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    application_name: 'tollgate',
  })
  // An idle connection that breaks is taken out of the pool; the statement that needs one opens another.
  pool.on('error', (error) => log.warn({ err: error }, 'idle catalog connection lost'))
  const db = new Kysely<CatalogTables>({ dialect: new PostgresDialect({ pool }) })
  const processId = Buffer.from(randomBytes(12)).toString('base64url')
  const session = createCatalogSession(db, announceToChannel(processId))
  try {
    const channel = await listenToChannel({ url, processId, clock, log, connectTimeoutMs: CONNECT_TIMEOUT_MS, deliver: session.deliver })
    const catalog = createSqlCatalog({
      db,
      session,
      clock,
      randomBytes,
      heardUpToMs: channel.heardUpToMs,
      onMigrated: (names) => log.info({ migrations: names }, 'migrated the catalog'),
      stop: async () => {
        await channel.stop()
        await db.destroy()
      },
    })
    return {
      ...catalog,
      async ping() {
        await catalog.ping().catch((error: unknown) => {
          throw postgresFault(url, error)
        })
      },
    }
  } catch (error) {
    await db.destroy()
    throw postgresFault(url, error)
  }
}
