import { Readable } from 'node:stream'
import type { ClickHouseClient } from '@clickhouse/client'
import type { Logger } from 'pino'
import { Counter, type Registry } from 'prom-client'
import { backoffMs } from '../../../base/backoff.ts'
import type { Clock } from '../../../base/clock.ts'
import { Fault } from '../../../base/fault.ts'
import { invariant } from '../../../base/invariant.ts'
import type { NativeRows } from '../native/native-rows.ts'
import { toUsageStoreFault } from './usage-store-fault.ts'

export type QueryParams = Readonly<Record<string, unknown>>
/** One row of a result, in the order of the SELECT. */
export type ResultRow = readonly unknown[]

/** Runs statements on a ClickHouse engine, wherever it lives, and turns its errors into faults. */
export type ClickHouseExecutor = ClickHouseReader & {
  /** For statements that take seconds and have only whole numbers as parameters: other statements do not wait for them. */
  readonly unhurried: ClickHouseReader
  selectObjects(sql: string, params?: QueryParams): Promise<readonly Readonly<Record<string, unknown>>[]>
  /** Retried, so only for rows that may be written twice. */
  insert(table: string, rows: NativeRows, signal?: AbortSignal): Promise<void>
  command(sql: string, params?: QueryParams): Promise<void>
  ping(): Promise<void>
}

export type ClickHouseReader = {
  select(sql: string, params?: QueryParams, signal?: AbortSignal): Promise<readonly ResultRow[]>
  /** For a statement with Float64 columns: the numbers row by row, in a twentieth of the time. */
  selectNumbers(sql: string, params?: QueryParams): Promise<Float64Array>
}

export type ClickHouseExecutorOptions = {
  readonly reader: ClickHouseClient
  /** Separate from the reader where one connection runs one statement at a time, as in chDB. */
  readonly writer: ClickHouseClient
  /** For unhurried statements, where these would hold up the reader: chDB runs all statements with parameters one by one. */
  readonly scanner?: ClickHouseClient | undefined
  /** How rows are inserted; the writer's own way when undefined. */
  readonly insertRows?: InsertRows | undefined
  /** The engine's address, for messages. */
  readonly address: string
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
}

export type InsertRows = (table: string, rows: NativeRows, signal: AbortSignal | undefined) => Promise<void>

/** About 6 s in all; the aggregator keeps its rows and tries again for as long as it takes. */
const INSERT_ATTEMPTS_MAX = 6
const INSERT_BACKOFF = { firstMs: 100, mostMs: 3_000 }

export function createClickHouseExecutor(options: ClickHouseExecutorOptions): ClickHouseExecutor {
  const { reader, writer, address, clock, log } = options
  const insertRows = options.insertRows ?? insertThroughClient(writer)
  const retries = new Counter({
    name: 'tollgate_usage_store_insert_retry_total',
    help: 'Inserts tried again after a fault, by table',
    labelNames: ['table'],
    registers: [options.registry],
  })
  const faults = new Counter({
    name: 'tollgate_usage_store_fault_total',
    help: 'Statements that failed, by fault code',
    labelNames: ['code'],
    registers: [options.registry],
  })

  async function guarded<Result>(signal: AbortSignal | undefined, run: () => Promise<Result>): Promise<Result> {
    try {
      signal?.throwIfAborted()
      return await run()
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      const fault = toUsageStoreFault(error, address)
      faults.inc({ code: fault.code })
      throw fault
    }
  }

  function readThrough(client: ClickHouseClient, bind: Bind): ClickHouseReader {
    return {
      select: (sql, params, signal) =>
        guarded(signal, async () => {
          const result = await client.query({
            ...bind(sql, params),
            format: 'JSONCompactEachRow',
            ...(signal === undefined ? {} : { abort_signal: signal }),
          })
          return await result.json<ResultRow>()
        }),
      selectNumbers: (sql, params) =>
        guarded(undefined, async () => {
          const result = await client.exec({
            ...bind(`${sql} FORMAT RowBinary`, params),
            // Otherwise a fault after the first rows would be text among them.
            clickhouse_settings: { wait_end_of_query: 1 },
          })
          const chunks: Uint8Array[] = []
          for await (const chunk of result.stream) chunks.push(chunk as Uint8Array)
          return joinedNumbers(chunks)
        }),
    }
  }

  const hurried = readThrough(reader, bound)
  return {
    ...hurried,
    unhurried: options.scanner === undefined ? hurried : oneByOne(readThrough(options.scanner, written)),

    selectObjects: (sql, params) =>
      guarded(undefined, async () => {
        const query = { query: sql, format: 'JSONEachRow' as const }
        const result = await reader.query(params === undefined ? query : { ...query, query_params: { ...params } })
        return await result.json<Readonly<Record<string, unknown>>>()
      }),

    async insert(table, rows, signal) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await guarded(signal, () => insertRows(table, rows, signal))
        } catch (error) {
          if (!(error instanceof Fault) || !error.canRetry || attempt === INSERT_ATTEMPTS_MAX) throw error
          const waitMs = backoffMs(INSERT_BACKOFF, attempt)
          retries.inc({ table })
          log.warn(
            { table, attempt, waitMs, rowsBytes: rows.blocks.reduce((sum, { length }) => sum + length, 0), err: error },
            'insert failed and is tried again',
          )
          await clock.sleep(waitMs, signal)
        }
      }
    },

    command: (sql, params) =>
      guarded(undefined, async () => {
        await writer.command(params === undefined ? { query: sql } : { query: sql, query_params: { ...params } })
      }),

    ping: () =>
      guarded(undefined, async () => {
        const result = await reader.ping({ select: true })
        if (!result.success) throw result.error
      }),
  }
}

type Bind = (sql: string, params: QueryParams | undefined) => { readonly query: string; readonly query_params?: Record<string, unknown> }

const bound: Bind = (query, params) => (params === undefined ? { query } : { query, query_params: { ...params } })

/** Whole numbers need no quotes, so they stand in the text itself. */
const written: Bind = (sql, params = {}) => ({
  query: sql.replace(/\{(\w+):\w+\}/g, (_, name: string) => {
    const value = params[name]
    invariant(Number.isSafeInteger(value), `parameter ${name} of an unhurried statement is a whole number`)
    return String(value)
  }),
})

/** One at a time, so that unhurried statements take at most one thread of the process's pool. */
function oneByOne(reader: ClickHouseReader): ClickHouseReader {
  let last: Promise<unknown> = Promise.resolve()
  function inTurn<Value>(read: () => Promise<Value>): Promise<Value> {
    const result = last.then(read)
    last = result.catch(() => undefined)
    return result
  }
  return {
    select: (sql, params, signal) => inTurn(() => reader.select(sql, params, signal)),
    selectNumbers: (sql, params) => inTurn(() => reader.selectNumbers(sql, params)),
  }
}

function joinedNumbers(chunks: readonly Uint8Array[]): Float64Array {
  const bytes = new Uint8Array(chunks.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let place = 0
  for (const chunk of chunks) {
    bytes.set(chunk, place)
    place += chunk.byteLength
  }
  // The engine and every machine that Node runs on have the same byte order.
  return new Float64Array(bytes.buffer)
}

/** A statement of its own, as the client's insert does not know Native. */
function insertThroughClient(client: ClickHouseClient): InsertRows {
  return async (table, { columns, blocks }, signal) => {
    const result = await client.exec({
      query: `INSERT INTO ${table} (${columns.join(', ')}) FORMAT Native`,
      values: Readable.from(blocks, { objectMode: false }),
      ...(signal === undefined ? {} : { abort_signal: signal }),
    })
    for await (const answer of result.stream) void answer
  }
}
