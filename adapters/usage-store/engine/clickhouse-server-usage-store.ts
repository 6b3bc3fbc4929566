import { ClickHouseLogLevel, createClient } from '@clickhouse/client'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Clock } from '../../../base/clock.ts'
import type { UsageStore } from '../usage-store.ts'
import { createClickHouseUsageStore } from './clickhouse-usage-store.ts'
import { CLUSTER_SETTINGS, type ClickHouseCluster, onCluster } from './cluster-statements.ts'
import { ENGINE_SETTINGS } from './engine-settings.ts'
import type { InstallationOfStore } from './migrate-usage-store.ts'
import { toUsageStoreFault } from './usage-store-fault.ts'

export type ClickHouseServerUsageStoreOptions = {
  /** `http://user:password@host:8123/database`; the database is created when it does not exist. */
  readonly url: string
  /** One of the server's `remote_servers`, which together hold the tables; null for this server alone. */
  readonly cluster?: string | null
  readonly chunkRecords: number
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  readonly requestTimeoutMs?: number
  readonly installation?: InstallationOfStore
}

const REQUEST_TIMEOUT_MS = 60_000
const CONNECTIONS_MAX = 16
const DATABASE_WHEN_UNNAMED = 'tollgate'

/** The usage store on a ClickHouse server, over HTTP. Connects on first use. */
export function openClickHouseUsageStore(options: ClickHouseServerUsageStoreOptions): UsageStore {
  const url = new URL(options.url)
  const database = decodeURIComponent(url.pathname.slice(1)) || DATABASE_WHEN_UNNAMED
  url.pathname = ''
  const shared = {
    url,
    application: 'tollgate',
    request_timeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    max_open_connections: CONNECTIONS_MAX,
    log: { level: ClickHouseLogLevel.OFF },
    // Look-ups of thousands of keys do not fit into a URL.
    use_multipart_params_auto: true,
  }
  const cluster: ClickHouseCluster | null = options.cluster ? { name: options.cluster, database } : null
  const settings = cluster === null ? ENGINE_SETTINGS : { ...ENGINE_SETTINGS, ...CLUSTER_SETTINGS }
  const client = createClient({ ...shared, database, clickhouse_settings: settings })
  const address = `${url.protocol}//${url.host}/${database}`

  return createClickHouseUsageStore({
    client,
    address,
    cluster,
    chunkRecords: options.chunkRecords,
    clock: options.clock,
    log: options.log,
    registry: options.registry,
    installation: options.installation,
    async prepare() {
      const outside = createClient(shared)
      try {
        const query = `CREATE DATABASE IF NOT EXISTS {database:Identifier}${cluster === null ? '' : ` ${onCluster(cluster)}`}`
        await outside.command({ query, query_params: { database } })
      } catch (error) {
        throw toUsageStoreFault(error, address)
      } finally {
        await outside.close()
      }
    },
    close: () => client.close(),
  })
}
