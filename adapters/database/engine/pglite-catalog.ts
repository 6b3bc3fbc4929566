import { Kysely, PGliteDialect, sql } from 'kysely'
import type { Logger } from 'pino'
import type { Clock } from '../../../base/clock.ts'
import type { CatalogTables } from '../../../schemas/database/catalog-tables.ts'
import type { Catalog } from '../catalog.ts'
import { createCatalogSession } from './catalog-session.ts'
import type { RandomBytes } from './record-id.ts'
import { openRestartingPGlite } from './restarting-pglite.ts'
import { createSqlCatalog } from './sql-catalog.ts'

export type PGliteCatalogOptions = {
  /** A directory of its own, made when it is not there. The caller sees to it that one process at a time has it. */
  readonly path: string
  readonly clock: Clock
  readonly randomBytes: RandomBytes
  readonly log: Logger
}

/** PGlite has no background process that would checkpoint by itself: without this the WAL grows until the next start. About 10 MB of it. */
const STATEMENTS_PER_CHECKPOINT = 10_000

/** The catalog in PostgreSQL compiled to WebAssembly, in this process. What a promise resolved for survives kill -9 and loss of power. */
export async function openPGliteCatalog({ path, clock, randomBytes, log }: PGliteCatalogOptions): Promise<Catalog> {
  const startedAtMs = clock.now()
  const pglite = await openRestartingPGlite({ path, clock, log })
  let statements = 0
  const db: Kysely<CatalogTables> = new Kysely({
    dialect: new PGliteDialect({ pglite }),
    log: ({ level }) => {
      if (level === 'query' && ++statements % STATEMENTS_PER_CHECKPOINT === 0) checkpoint(db, log)
    },
  })
  log.info({ path, tookMs: clock.now() - startedAtMs }, 'opened the embedded catalog')
  return createSqlCatalog({
    db,
    session: createCatalogSession(db),
    clock,
    randomBytes,
    // Nobody else can change what is kept here.
    heardUpToMs: () => clock.now(),
    onMigrated: (names) => log.info({ migrations: names }, 'migrated the catalog'),
    stop: async () => {
      await db.destroy()
      if (!pglite.closed) await pglite.close()
    },
  })
}

/** Queues behind the statements under way. One that fails is made up for by the next, or by recovery at the next start. */
function checkpoint(db: Kysely<CatalogTables>, log: Logger): void {
  sql`CHECKPOINT`.execute(db).catch((error: unknown) => log.warn({ err: error }, 'checkpoint of the embedded catalog failed'))
}
