import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Counters } from '../adapters/counters/counters.ts'
import type { ChangeFeed } from '../adapters/database/changes.ts'
import type { Database } from '../adapters/database/database.ts'
import { type Installation, sqlInstallationStore } from '../adapters/database/installation/installation-store.ts'
import type { EventLog } from '../adapters/event-log/event-log.ts'
import type { KafkaEventLogOptions } from '../adapters/event-log/kafka/kafka-event-log.ts'
import type { UsageStore } from '../adapters/usage-store/usage-store.ts'
import type { Clock } from '../base/clock.ts'
import { invariant } from '../base/invariant.ts'
import { type DatabaseStores, databaseStores } from './database-stores.ts'
import { openPatiently } from './open-patiently.ts'
import { type DataDirectoryLock, lockDataDirectory } from './process/data-directory-lock.ts'
import { endOnPanic } from './process/end-on-panic.ts'
import { type EmbeddedStore, settleEmbeddedStores } from './process/stores-belong-together.ts'
import { openSellingSeams, type SellingSeams } from './selling-seams.ts'
import type { Config } from './settings/config.ts'
import { ROLES, type Role, withoutPassword } from './settings/setting.ts'

/** One implementation of each seam, open and migrated. */
export type Stores = DatabaseStores & {
  readonly database: Database
  readonly changes: ChangeFeed
  readonly eventLog: EventLog
  readonly usageStore: UsageStore
  readonly counters: Counters
  /** Null where the process does not sell. */
  readonly seams: SellingSeams | null
  /** Stops last: everything that the views hold is durable when this resolves. */
  stop(): Promise<void>
}

/** The stores of some roles; null for a store that none of them needs. */
export type RoleStores = Omit<Stores, 'usageStore' | 'counters'> & {
  readonly usageStore: UsageStore | null
  readonly counters: Counters | null
}

export type StoreEnvironment = {
  readonly config: Config
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  /** Shown to a second process that finds the directory in use. */
  readonly doing: string
}

/** The only place that chooses implementations: a URL in the settings switches that seam alone. */
export async function openStores(environment: StoreEnvironment): Promise<Stores> {
  const stores = await openRoleStores(environment, ROLES)
  const { usageStore, counters } = stores
  invariant(usageStore !== null && counters !== null, 'all roles together need all stores')
  return { ...stores, usageStore, counters }
}

/** The stores that these roles need, so that ingest starts and goes on while the views are away. */
export async function openRoleStores(environment: StoreEnvironment, roles: readonly Role[]): Promise<RoleStores> {
  const lock = holdDataDirectory(environment)
  // When one fails to open, those opened before are closed in reverse.
  const opened: { stop(): Promise<void> }[] = [{ stop: async () => lock?.release() }]
  const keep = <Store extends { stop(): Promise<void> }>(store: Store): Store => {
    opened.unshift(store)
    return store
  }
  const stop = async () => {
    for (const store of opened.splice(0)) await store.stop()
  }
  const opening = { waitMs: environment.config.startWaitMs, clock: environment.clock, log: environment.log }
  const hasViews = roles.some((role) => role !== 'ingest')
  try {
    const database = keep(await openPatiently('catalog', opening, () => openDatabase(environment)))
    await openPatiently('catalog', opening, () => database.migrate())
    const installation = await sqlInstallationStore(database.session).get()
    if (lock !== null) settleEmbedded(environment.config, installation)
    const eventLog = keep(await openPatiently('event log', opening, () => openEventLog(environment)))
    const usageStore = hasViews ? keep(await openUsageStore(environment, installation)) : null
    // The tables belong to the aggregator; the api answers what it can while the store is away.
    if (roles.includes('aggregator')) await openPatiently('usage store', opening, async () => usageStore?.migrate())
    const counters = hasViews ? keep(await openPatiently('counters', opening, () => openCounters(environment, installation))) : null
    const seams = roles.includes('commerce') ? await openSellingSeams(environment.config) : null
    return { ...databaseStores(database.session), seams, database, changes: database.changes, eventLog, usageStore, counters, stop }
  } catch (error) {
    await stop().catch(() => undefined)
    throw error
  }
}

/** Before the first of them is opened, so that nothing is written into a store of another database. */
function settleEmbedded(config: Config, installation: Installation): void {
  const { dataDir, kafkaBrokers, clickhouseUrl, redisUrl } = config
  const elsewhere: readonly (readonly [EmbeddedStore, string | null])[] = [
    ['event-log', kafkaBrokers],
    ['usage-store', clickhouseUrl],
    ['counters', redisUrl],
  ]
  const stores = elsewhere.flatMap(([store, url]) => (url === null ? [store] : []))
  settleEmbeddedStores({ dataDir, stores, database: nameOfDatabase(config) }, installation)
}

function nameOfDatabase({ dataDir, databaseUrl }: Config): string {
  return databaseUrl === null ? `the database in ${join(dataDir, 'catalog')}` : `the database at ${withoutPassword(databaseUrl)}`
}

/** The database alone, for commands that need nothing else. */
export async function openDatabaseAlone(environment: StoreEnvironment): Promise<Database> {
  const lock = environment.config.databaseUrl === null ? holdDataDirectory(environment) : null
  try {
    const database = await openDatabase(environment)
    await database.migrate()
    return {
      ...database,
      async stop() {
        await database.stop()
        lock?.release()
      },
    }
  } catch (error) {
    lock?.release()
    throw error
  }
}

/** Nothing is embedded when all four seams are on servers. */
function holdDataDirectory({ config, doing }: StoreEnvironment): DataDirectoryLock | null {
  return isAllElsewhere(config) ? null : lockDataDirectory(config.dataDir, { pid: process.pid, doing })
}

/** When all seams are on servers, other processes may use them at the same time; otherwise the lock on the data directory keeps them out. */
export function isAllElsewhere(config: Config): boolean {
  return [config.kafkaBrokers, config.clickhouseUrl, config.databaseUrl, config.redisUrl].every((each) => each !== null)
}

/** An implementation is loaded only where it is used: most are large, and an image for servers has no embedded engines. */
async function openDatabase({ config, clock, log }: StoreEnvironment): Promise<Database> {
  const options = { clock, randomBytes, log: log.child({ seam: 'catalog' }) }
  if (config.databaseUrl !== null) {
    const { openPostgresDatabase } = await import('../adapters/database/engine/postgres-database.ts')
    return openPostgresDatabase({ ...options, url: config.databaseUrl })
  }
  const { openPGliteDatabase } = await import('../adapters/database/engine/pglite-database.ts')
  return openPGliteDatabase({ ...options, path: join(config.dataDir, 'catalog') })
}

async function openEventLog(environment: StoreEnvironment): Promise<EventLog> {
  const { config, clock, log, registry } = environment
  if (config.kafkaBrokers !== null) {
    const { createKafkaEventLog } = await import('../adapters/event-log/kafka/kafka-event-log.ts')
    return createKafkaEventLog(kafkaOptions(environment, config.kafkaBrokers))
  }
  const { createLmdbEventLog } = await import('../adapters/event-log/lmdb/lmdb-event-log.ts')
  return createLmdbEventLog({
    path: join(config.dataDir, 'event-log'),
    undecodablePath: join(config.dataDir, 'undecodable'),
    partitions: config.partitions,
    clock,
    log: log.child({ seam: 'event-log' }),
    registry,
    unacknowledgedBytesMax: config.pendingBytesMax,
    onPanic: endOnPanic(log),
  })
}

function kafkaOptions({ config, clock, log, registry }: StoreEnvironment, brokers: string): KafkaEventLogOptions {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUser: username, kafkaSaslPassword: password } = config
  const hasLogin = mechanism !== 'none' && username !== null && password !== null
  const ssl = config.kafkaCaFile === null ? true : { ca: readFileSync(config.kafkaCaFile, 'utf8') }
  return {
    brokers: brokers.split(',').map((broker) => broker.trim()),
    topic: config.kafkaTopic,
    ...(config.kafkaDeadLetterTopic === null ? {} : { deadLetterTopic: config.kafkaDeadLetterTopic }),
    partitions: config.partitions,
    replication: config.kafkaReplication,
    clientId: 'tollgate',
    ...(config.kafkaTls === 'on' ? { ssl } : {}),
    ...(hasLogin ? { sasl: { mechanism, username, password } } : {}),
    clock,
    log: log.child({ seam: 'event-log' }),
    registry,
    unacknowledgedBytesMax: config.pendingBytesMax,
  }
}

async function openUsageStore({ config, clock, log, registry }: StoreEnvironment, { id, isNew }: Installation): Promise<UsageStore> {
  const options = { chunkRecords: config.chunkRecords, clock, log: log.child({ seam: 'usage-store' }), registry }
  if (config.clickhouseUrl !== null) {
    const { openClickHouseUsageStore } = await import('../adapters/usage-store/engine/clickhouse-server-usage-store.ts')
    const installation = { id, isNew, database: nameOfDatabase(config) }
    return openClickHouseUsageStore({ ...options, url: config.clickhouseUrl, cluster: config.clickhouseCluster, installation })
  }
  const { openChdbUsageStore } = await import('../adapters/usage-store/engine/chdb-usage-store.ts')
  return openChdbUsageStore({ ...options, path: join(config.dataDir, 'usage-store') })
}

async function openCounters({ config, clock, log, registry }: StoreEnvironment, { id }: Installation): Promise<Counters> {
  const options = { clock, log: log.child({ seam: 'counters' }), registry }
  if (config.redisUrl === null) {
    const { createEmbeddedCounters } = await import('../adapters/counters/embedded/embedded-counters.ts')
    return createEmbeddedCounters({ ...options, path: join(config.dataDir, 'counters'), onPanic: endOnPanic(log) })
  }
  const { openRedisCounters } = await import('../adapters/counters/redis/redis-counters.ts')
  return openRedisCounters({
    ...options,
    url: config.redisUrl,
    installation: { id, database: nameOfDatabase(config) },
    random: Math.random,
    keyPrefix: config.redisKeyPrefix,
    holdReplicas: config.redisHoldReplicas,
  })
}
