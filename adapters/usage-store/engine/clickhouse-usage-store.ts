import type { ClickHouseClient } from '@clickhouse/client'
import type { Logger } from 'pino'
import { Counter, type Registry } from 'prom-client'
import type { Clock } from '../../../base/clock.ts'
import { invariant } from '../../../base/invariant.ts'
import type { MeterKey, Offset, Partition, TenantKey } from '../../../domain/identity.ts'
import {
  encodeActivations,
  encodeEvents,
  encodePositions,
  encodeTextRows,
  encodeWindows,
  joinedRows,
  type NativeRows,
} from '../native/native-rows.ts'
import { createEventQueries } from '../queries/event-queries.ts'
import { createVerifySlices } from '../queries/verify-slices.ts'
import { createWindowQueries } from '../queries/window-queries.ts'
import { type InnerReadBounds, READ_BOUNDS_DEFAULT, type ReadBounds } from '../read-bounds.ts'
import { ANALYST_TABLES, type UsageStore } from '../usage-store.ts'
import { createClickHouseExecutor, type InsertRows } from './clickhouse-executor.ts'
import { type ClickHouseCluster, storedTable } from './cluster-statements.ts'
import { type InstallationOfStore, migrateUsageStore, settleChunkRecords, settleInstallation, settleShards } from './migrate-usage-store.ts'

export type ClickHouseUsageStoreOptions = {
  readonly client: ClickHouseClient
  /** The client for writes; the same client when undefined. */
  readonly writer?: ClickHouseClient
  /** See `ClickHouseExecutorOptions`. */
  readonly scanner?: ClickHouseClient
  /** How rows are inserted; through the writer when undefined. */
  readonly insertRows?: InsertRows
  /** Null for one server, or the engine in this process. */
  readonly cluster?: ClickHouseCluster | null
  /** Run first in `migrate`. */
  readonly prepare?: () => Promise<void>
  readonly close: () => Promise<void>
  /** See `UsageStore`. */
  readonly snapshot?: (directory: string) => Promise<void>
  /** The engine's address, for messages. */
  readonly address: string
  /** Undefined: the store is not told from those of other installations. */
  readonly installation?: InstallationOfStore | undefined
  /** Bounds of each read for the api. */
  readonly readBounds?: ReadBounds | undefined
  /** Bounds of reads inside the server. */
  readonly innerReadBounds?: InnerReadBounds | undefined
  /** Offsets per chunk; fixed when the store is created. */
  readonly chunkRecords: number
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
}

const REMOVED_TOGETHER = 1_000

/** The usage store on a ClickHouse engine. The same SQL text serves chDB in this process and a server over HTTP. */
export function createClickHouseUsageStore(options: ClickHouseUsageStoreOptions): UsageStore {
  const { log, registry, cluster = null, readBounds = READ_BOUNDS_DEFAULT } = options
  const executor = createClickHouseExecutor({
    reader: options.client,
    writer: options.writer ?? options.client,
    scanner: options.scanner,
    insertRows: options.insertRows,
    address: options.address,
    clock: options.clock,
    log,
    registry,
  })
  const writtenRows = new Counter({
    name: 'tollgate_usage_store_row_total',
    help: 'Rows written, by table; rewrites after a restart count again',
    labelNames: ['table'],
    registers: [registry],
  })
  let chunkRecords: number | undefined

  async function writeRows(table: string, rows: NativeRows, signal?: AbortSignal): Promise<void> {
    await executor.insert(table, rows, signal)
    writtenRows.inc({ table }, rows.rows)
  }

  function knownChunkRecords(): number {
    invariant(chunkRecords !== undefined, 'the chunk size is asked for after migrate')
    return chunkRecords
  }

  return {
    ...createEventQueries(executor, readBounds, options.innerReadBounds),
    ...createWindowQueries(executor, knownChunkRecords, readBounds, options.innerReadBounds),
    ...createVerifySlices(executor),

    async migrate() {
      await options.prepare?.()
      await migrateUsageStore(executor, log, cluster)
      if (options.installation !== undefined) await settleInstallation(executor, options.address, options.installation)
      if (cluster !== null) await settleShards(executor, cluster)
      chunkRecords = await settleChunkRecords(executor, options.chunkRecords)
    },

    chunkRecords: knownChunkRecords,

    async positions() {
      const rows = await executor.select('SELECT log_partition, max(next_log_offset) FROM positions GROUP BY log_partition')
      return new Map(rows.map(([partition, next]) => [Number(partition) as Partition, Number(next) as Offset]))
    },

    encodeEvents,

    // Positions last: a crash before leaves rows that the replay writes again, the same.
    async write({ events, encodedEvents = [], windows, positions }, signal) {
      const eventRows = [...(encodedEvents as readonly NativeRows[]), ...(events.length > 0 ? [encodeEvents(events)] : [])]
      if (eventRows.length > 0) await writeRows('events', joinedRows(eventRows), signal)
      if (windows.length > 0) await writeRows('usage_windows', encodeWindows(windows), signal)
      if (positions.length > 0) await writeRows('positions', encodePositions(positions), signal)
    },

    async removeEvents(partition, places) {
      for (let from = 0; from < places.length; from += REMOVED_TOGETHER) {
        const some = places.slice(from, from + REMOVED_TOGETHER)
        await executor.command(
          `DELETE FROM events WHERE log_partition = {partition:UInt32} AND log_offset IN {offsets:Array(UInt64)}
             AND concat(toString(log_offset), ' ', toString(log_index)) IN {places:Array(String)}`,
          { partition, offsets: some.map(({ offset }) => offset), places: some.map(({ offset, index }) => `${offset} ${index}`) },
        )
      }
    },

    async activations() {
      const rows = await executor.select(
        'SELECT tenant, meter, revision, log_partition, from_log_offset, backfilled FROM meter_activations FINAL ORDER BY tenant, meter, revision, log_partition',
      )
      return rows.map(([tenant, meter, revision, partition, fromOffset, backfilled]) => ({
        tenant: String(tenant) as TenantKey,
        meter: String(meter) as MeterKey,
        revision: Number(revision),
        partition: Number(partition) as Partition,
        fromOffset: Number(fromOffset) as Offset,
        backfilled: Number(backfilled) === 1,
      }))
    },

    async putActivations(activations) {
      if (activations.length > 0) await writeRows('meter_activations', encodeActivations(activations))
    },

    // Activations last: while they exist, an interrupted drop is seen and repeated.
    async dropWindows(tenant, meter, beforeRevision) {
      const params = { tenant, meter, beforeRevision }
      for (const table of ['usage_windows', 'meter_activations']) {
        await executor.command(
          `DELETE FROM ${storedTable(table, cluster)} WHERE tenant = {tenant:String} AND meter = {meter:String} AND revision < {beforeRevision:UInt64} SETTINGS lightweight_deletes_sync = 0`,
          params,
        )
      }
    },

    analystTables: {
      async write(table, rows) {
        if (rows.length > 0) await writeRows(table, encodeTextRows(rows))
      },
      async empty() {
        for (const table of ANALYST_TABLES) await executor.command(`TRUNCATE TABLE ${storedTable(table, cluster)}`)
      },
    },

    query: (sql, params) => executor.selectObjects(sql, params),
    ping: () => executor.ping(),
    ...(options.snapshot === undefined ? {} : { snapshot: options.snapshot }),
    stop: () => options.close(),
  }
}
