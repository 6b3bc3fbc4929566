import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Catalog } from '../adapters/catalog/catalog.ts'
import { openPGliteCatalog } from '../adapters/catalog/pglite-catalog.ts'
import { openPostgresCatalog } from '../adapters/catalog/postgres-catalog.ts'
import type { Counters } from '../adapters/counters/counters.ts'
import { createEmbeddedCounters } from '../adapters/counters/embedded-counters.ts'
import type { EventLog } from '../adapters/event-log/event-log.ts'
import { createLmdbEventLog } from '../adapters/event-log/lmdb-event-log.ts'
import { openChdbUsageStore } from '../adapters/usage-store/chdb-usage-store.ts'
import { openClickHouseUsageStore } from '../adapters/usage-store/clickhouse-server-usage-store.ts'
import type { UsageStore } from '../adapters/usage-store/usage-store.ts'
import type { Clock } from '../domain/clock.ts'
import type { Config } from './config.ts'
import { type DataDirectoryLock, lockDataDirectory } from './data-directory-lock.ts'

/** One implementation of each seam, open and migrated. */
export type Stores = {
  readonly catalog: Catalog
  readonly eventLog: EventLog
  readonly usageStore: UsageStore
  readonly counters: Counters
  /** Last: what the views hold is durable when this resolves. */
  stop(): Promise<void>
}

export type StoreEnvironment = {
  readonly config: Config
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  /** Named to a second process that finds the directory taken. */
  readonly doing: string
}

/** Records of a partition per chunk, for stores that are born now; a store keeps the one it was born with. */
const CHUNK_RECORDS = 1_024

/** The only place that picks implementations: a set URL switches that seam alone. */
export async function openStores(environment: StoreEnvironment): Promise<Stores> {
  const lock = holdDataDirectory(environment)
  // Whatever was opened before something failed is let go of, in reverse.
  const opened: { stop(): Promise<void> }[] = [{ stop: async () => lock?.release() }]
  const keep = <Store extends { stop(): Promise<void> }>(store: Store): Store => {
    opened.unshift(store)
    return store
  }
  const stop = async () => {
    for (const store of opened.splice(0)) await store.stop()
  }
  try {
    const catalog = keep(await openCatalog(environment))
    await catalog.migrate()
    const eventLog = keep(await openEventLog(environment))
    const usageStore = keep(await openUsageStore(environment))
    await usageStore.migrate()
    const counters = keep(await openCounters(environment))
    return { catalog, eventLog, usageStore, counters, stop }
  } catch (error) {
    await stop().catch(() => undefined)
    throw error
  }
}

/** The catalog alone, for commands that need no more. */
export async function openCatalogAlone(environment: StoreEnvironment): Promise<Catalog> {
  const lock = environment.config.databaseUrl === null ? holdDataDirectory(environment) : null
  try {
    const catalog = await openCatalog(environment)
    await catalog.migrate()
    return {
      ...catalog,
      async stop() {
        await catalog.stop()
        lock?.release()
      },
    }
  } catch (error) {
    lock?.release()
    throw error
  }
}

/** Nothing is embedded when all four are elsewhere. */
function holdDataDirectory({ config, doing }: StoreEnvironment): DataDirectoryLock | null {
  const isAllElsewhere = [config.kafkaBrokers, config.clickhouseUrl, config.databaseUrl, config.redisUrl].every((each) => each !== null)
  return isAllElsewhere ? null : lockDataDirectory(config.dataDir, { pid: process.pid, doing })
}

function openCatalog({ config, clock, log }: StoreEnvironment): Promise<Catalog> {
  const options = { clock, randomBytes, log: log.child({ seam: 'catalog' }) }
  return config.databaseUrl === null
    ? openPGliteCatalog({ ...options, path: join(config.dataDir, 'catalog') })
    : openPostgresCatalog({ ...options, url: config.databaseUrl })
}

function openEventLog({ config, log, registry }: StoreEnvironment): Promise<EventLog> {
  return createLmdbEventLog({
    path: join(config.dataDir, 'event-log'),
    partitions: config.partitions,
    log: log.child({ seam: 'event-log' }),
    registry,
    unacknowledgedBytesMax: config.pendingBytesMax,
  })
}

async function openUsageStore({ config, log, registry }: StoreEnvironment): Promise<UsageStore> {
  const options = { chunkRecords: CHUNK_RECORDS, log: log.child({ seam: 'usage-store' }), registry }
  return config.clickhouseUrl === null
    ? await openChdbUsageStore({ ...options, path: join(config.dataDir, 'usage-store') })
    : openClickHouseUsageStore({ ...options, url: config.clickhouseUrl })
}

function openCounters({ config, clock, log, registry }: StoreEnvironment): Promise<Counters> {
  return createEmbeddedCounters({ path: join(config.dataDir, 'counters'), clock, log: log.child({ seam: 'counters' }), registry })
}
