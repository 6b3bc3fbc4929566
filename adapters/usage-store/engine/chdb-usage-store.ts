import { mkdirSync, rmSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type ClickHouseClientConfigOptions, ClickHouseLogLevel, createClient } from '@clickhouse/client'
import { drainPending } from 'chdb'
import { type ChdbConnection, createChdbConnection } from 'chdb/connection'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Clock } from '../../../base/clock.ts'
import { Fault } from '../../../base/fault.ts'
import type { InnerReadBounds, ReadBounds } from '../read-bounds.ts'
import type { UsageStore } from '../usage-store.ts'
import { snapshotChdb } from './chdb-snapshot.ts'
import type { InsertRows } from './clickhouse-executor.ts'
import { createClickHouseUsageStore } from './clickhouse-usage-store.ts'
import { ENGINE_SETTINGS } from './engine-settings.ts'
import { restoreFatalSignals } from './fatal-signals.ts'
import { createOneAtATime, type OneAtATime } from './one-at-a-time.ts'

export type ChdbUsageStoreOptions = {
  /** Data directory; created when it does not exist. */
  readonly path: string
  readonly chunkRecords: number
  readonly readBounds?: ReadBounds
  readonly innerReadBounds?: InnerReadBounds
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
}

/** The directory that this process has open, as the engine serves one per process. */
let openPath: string | null = null

/** The usage store in this process: the ClickHouse engine as a library, on one data directory. */
export async function openChdbUsageStore(options: ChdbUsageStoreOptions): Promise<UsageStore> {
  const path = resolve(options.path)
  if (openPath !== null) {
    throw directoryFault(
      `this process already has the usage store at ${openPath} open, and the embedded engine serves one directory per process: stop that store first`,
    )
  }
  mkdirSync(path, { recursive: true })
  // A connection runs one statement at a time; with several, reads do not wait for writes or for long reads.
  const readConnection = connect(path)
  const writeConnection = connect(path)
  const scanConnection = connect(path)
  restoreFatalSignals()
  openPath = path
  const log = { level: ClickHouseLogLevel.OFF }
  const writing = createOneAtATime()
  const reader = createClient({ connection: asConnection(readConnection, createOneAtATime()), log })
  const writer = createClient({ connection: asConnection(writeConnection, writing), log })
  const scanner = createClient({ connection: asConnection(scanConnection, createOneAtATime()), log })

  return createClickHouseUsageStore({
    client: reader,
    writer,
    scanner,
    address: path,
    chunkRecords: options.chunkRecords,
    readBounds: options.readBounds,
    innerReadBounds: options.innerReadBounds,
    clock: options.clock,
    log: options.log,
    registry: options.registry,
    insertRows: insertThroughFile(join(path, 'incoming'), async (sql, signal) => {
      await writing(() => writeConnection.chdb.queryAsync(sql), signal)
    }),
    async prepare() {
      for (const client of [reader, writer, scanner]) {
        for (const [name, value] of Object.entries(ENGINE_SETTINGS)) await client.command({ query: `SET ${name} = ${value}` })
      }
    },
    snapshot: (directory) => snapshotChdb({ path, run: (sql) => writer.command({ query: sql }).then(() => undefined) }, directory),
    async close() {
      if (openPath !== path) return
      await reader.close()
      await writer.close()
      await scanner.close()
      // An aborted statement still runs in the engine, which keeps the directory until it ends.
      await drainPending()
      openPath = null
    },
  })
}

/**
 * Rows reach the engine through a file, which is deleted before it is written to disk. As text within the statement, the engine
 * would search them before it parses them, which takes half of the cost of an insert.
 */
function insertThroughFile(directory: string, run: (sql: string, signal: AbortSignal | undefined) => Promise<void>): InsertRows {
  // Left behind by a killed process.
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory)
  let files = 0
  return async (table, { columns, blocks }, signal) => {
    const file = join(directory, `${++files}.native`)
    const names = columns.join(', ')
    try {
      await writeFile(file, blocks)
      await run(`INSERT INTO ${table} (${names}) SELECT ${names} FROM file('${quoted(file)}', Native)`, signal)
    } finally {
      await rm(file, { force: true })
    }
  }
}

function quoted(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")
}

function connect(path: string) {
  try {
    return createChdbConnection({ path })
  } catch (error) {
    throw directoryFault(
      `the usage store at ${path} could not be opened: another process has it open, or it may not be written. The embedded engine serves one process; set CLICKHOUSE_URL to share a server`,
      error,
    )
  }
}

function directoryFault(message: string, cause?: unknown): Fault {
  return new Fault('usage_store_unavailable', message, {
    canRetry: false,
    publicText: 'The usage store is not available at the moment. Try again shortly.',
    cause,
  })
}

type Connection = NonNullable<ClickHouseClientConfigOptions['connection']>

/**
 * The connection as the client sees it, one statement at a time. chDB's types come from its own copy of the client's common package,
 * whose private members make them incompatible.
 */
function asConnection(connection: ChdbConnection, inLine: OneAtATime): Connection {
  // The signal stays here: handed on, it would end the wait for a statement that still runs in the engine.
  const once =
    <Params extends { readonly abort_signal?: AbortSignal | undefined }, Result>(run: (params: Params) => Promise<Result>) =>
    ({ abort_signal: signal, ...params }: Params) =>
      inLine(() => run(params as Params), signal)
  const oneAtATime: Pick<ChdbConnection, 'query' | 'exec' | 'command' | 'insert' | 'ping' | 'close'> = {
    query: once((params) => connection.query(params)),
    exec: once((params) => connection.exec(params)),
    command: once((params) => connection.command(params)),
    insert: once((params) => connection.insert(params)),
    ping: (params) => inLine(() => connection.ping(params)),
    close: () => connection.close(),
  }
  return oneAtATime as unknown as Connection
}
