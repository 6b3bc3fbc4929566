import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createChdbConnection } from 'chdb/connection'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { openChdbUsageStore } from '../adapters/usage-store/chdb-usage-store.ts'
import { ENGINE_SETTINGS } from '../adapters/usage-store/engine-settings.ts'
import { EVENT_COLUMNS, WINDOW_COLUMNS } from '../adapters/usage-store/tab-separated-rows.ts'
import { whenSettled } from './process-usage.ts'

/** Takes rows out of a server's usage store, or puts them into an empty one with nothing but the engine running. */
export type FloorRequest =
  | {
      readonly step: 'take'
      readonly storePath: string
      readonly rowsDir: string
      readonly idPrefix: string
      readonly eventsPerFlush: number
    }
  | { readonly step: 'insert'; readonly storePath: string; readonly rowsDir: string }

export type FloorResult = {
  readonly events: number
  readonly windowRows: number
  readonly inserts: number
  readonly insertCpuMs: number
  readonly settledCpuMs: number
}

const request = JSON.parse(process.argv[2] ?? '{}') as FloorRequest
const result = request.step === 'take' ? await takeRows(request) : await insertRows(request)
process.send?.(result, () => process.exit(0))

/** In the order of the log, cut as the server's flushes were; the windows of the same share of time go along. */
async function takeRows({ storePath, rowsDir, idPrefix, eventsPerFlush }: Extract<FloorRequest, { step: 'take' }>): Promise<FloorResult> {
  mkdirSync(rowsDir, { recursive: true })
  const { chdb } = createChdbConnection({ path: storePath })
  const ofLeg = `FROM events WHERE startsWith(id, '${idPrefix}_')`
  const text = async (sql: string) => (await chdb.queryAsync(sql, { format: 'TabSeparated' })).text()
  const [events = 0, from, to] = (await text(`SELECT count(), min(log_offset), max(log_offset) ${ofLeg}`)).trim().split('\t').map(Number)
  const flushes = Math.max(1, Math.round(events / eventsPerFlush))
  const windowsWhere = `FROM usage_windows WHERE version BETWEEN ${from} AND ${to}`
  const windowRows = Number(await text(`SELECT count() ${windowsWhere}`))
  for (let flush = 0; flush < flushes; flush++) {
    const share = (rows: number) => `LIMIT ${Math.ceil(rows / flushes)} OFFSET ${flush * Math.ceil(rows / flushes)}`
    const order = 'ORDER BY log_offset, log_partition, log_index'
    writeFileSync(
      join(rowsDir, `${pad(flush)}-events`),
      await text(`SELECT ${EVENT_COLUMNS.join(', ')} ${ofLeg} ${order} ${share(events)}`),
    )
    const windows = await text(`SELECT ${WINDOW_COLUMNS.join(', ')} ${windowsWhere} ORDER BY version, customer ${share(windowRows)}`)
    writeFileSync(join(rowsDir, `${pad(flush)}-usage_windows`), windows)
  }
  return { events, windowRows, inserts: 0, insertCpuMs: 0, settledCpuMs: 0 }
}

async function insertRows({ storePath, rowsDir }: Extract<FloorRequest, { step: 'insert' }>): Promise<FloorResult> {
  const store = await openChdbUsageStore({ path: storePath, chunkRecords: 1_024, log: pino({ level: 'silent' }), registry: new Registry() })
  await store.migrate()
  await store.stop()
  const { chdb } = createChdbConnection({ path: storePath })
  for (const [name, value] of Object.entries(ENGINE_SETTINGS)) await chdb.queryAsync(`SET ${name} = ${value}`)
  const inserts = readdirSync(rowsDir)
    .sort()
    .map((file) => ({ file, rows: readFileSync(join(rowsDir, file)), table: file.endsWith('events') ? 'events' : 'usage_windows' }))
  await whenSettled(process.pid, 10_000)
  const cpuMs = (since: NodeJS.CpuUsage) => (process.cpuUsage(since).user + process.cpuUsage(since).system) / 1_000
  const before = process.cpuUsage()
  for (const { table, rows } of inserts) {
    if (rows.length > 0)
      await chdb.rawInsert({ table, columns: table === 'events' ? EVENT_COLUMNS : WINDOW_COLUMNS, values: rows, format: 'TabSeparated' })
  }
  const insertCpuMs = cpuMs(before)
  await whenSettled(process.pid, 60_000)
  const rowsOf = (table: string) => inserts.filter((insert) => insert.table === table).reduce((sum, { rows }) => sum + linesIn(rows), 0)
  return {
    events: rowsOf('events'),
    windowRows: rowsOf('usage_windows'),
    inserts: inserts.length,
    insertCpuMs,
    settledCpuMs: cpuMs(before),
  }
}

function linesIn(rows: Buffer): number {
  let lines = 0
  for (let at = rows.indexOf(10); at >= 0; at = rows.indexOf(10, at + 1)) lines++
  return lines
}

function pad(index: number): string {
  return String(index).padStart(6, '0')
}
