import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createChdbConnection } from 'chdb/connection'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { openChdbUsageStore } from '../adapters/usage-store/engine/chdb-usage-store.ts'
import { ENGINE_SETTINGS } from '../adapters/usage-store/engine/engine-settings.ts'
import { encodeEvents, encodeWindows } from '../adapters/usage-store/native/native-rows.ts'
import { systemClock } from '../runtime/process/system-clock.ts'
import { whenSettled } from './process-usage.ts'

/** Takes rows out of a server's usage store, or inserts them into an empty one with nothing but the engine running. */
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

/** In the order of the log, cut like the server's flushes, each with the windows that its events change. */
async function takeRows({ storePath, rowsDir, idPrefix, eventsPerFlush }: Extract<FloorRequest, { step: 'take' }>): Promise<FloorResult> {
  mkdirSync(rowsDir, { recursive: true })
  const { chdb } = createChdbConnection({ path: storePath })
  const text = async (sql: string) => (await chdb.queryAsync(sql, { format: 'TabSeparated' })).text()
  const ofLeg = `FROM events WHERE startsWith(id, '${idPrefix}_')`
  const events = Number(await text(`SELECT count() ${ofLeg}`))
  const flushes = Math.max(1, Math.round(events / eventsPerFlush))
  const share = Math.ceil(events / flushes)
  for (let flush = 0; flush < flushes; flush++) {
    const ofFlush = `${ofLeg} ORDER BY log_offset, log_partition, log_index LIMIT ${share} OFFSET ${flush * share}`
    const file = join(rowsDir, String(flush).padStart(6, '0'))
    await text(`SELECT ${columnsOf('events')} ${ofFlush} INTO OUTFILE '${file}-events' FORMAT Native`)
    const windows = METERS.map((meter) => windowsSql(meter, `SELECT * ${ofFlush}`)).join(' UNION ALL ')
    await text(`SELECT * FROM (${windows}) INTO OUTFILE '${file}-usage_windows' FORMAT Native`)
  }
  return { events, windowRows: 0, inserts: 0, insertCpuMs: 0, settledCpuMs: 0 }
}

const TOKENS = "JSONExtractUInt(data, 'input_tokens') + JSONExtractUInt(data, 'output_tokens')"
const METERS = [
  { meter: 'tokens', dimensions: "map('model', JSONExtractString(data, 'model'))", value: TOKENS, hasQuantity: true },
  { meter: 'requests', dimensions: 'map()', value: '0', hasQuantity: false },
] as const

/** The columns of the table, in their order. */
function windowsSql({ meter, dimensions, value, hasQuantity }: (typeof METERS)[number], events: string): string {
  const quantity = (sql: string) => (hasQuantity ? sql : 'NULL')
  return `SELECT tenant, '${meter}' AS meter, 1 AS revision, customer, toStartOfMinute(occurred_at) AS window_start, ${dimensions} AS dimensions,
    count() AS events, sum(${value}) AS value_sum, ${quantity(`min(${value})`)} AS value_min, ${quantity(`max(${value})`)} AS value_max,
    ${quantity(`argMax(${value}, occurred_at)`)} AS value_latest, ${quantity('max(occurred_at)')} AS latest_occurred_at,
    max(log_offset) AS latest_log_offset, max(log_index) AS latest_log_index, [] AS unique_values, log_partition,
    intDiv(log_offset, 1024) AS chunk, max(log_offset) AS version
    FROM (${events}) GROUP BY tenant, customer, window_start, dimensions, log_partition, chunk`
}

async function insertRows({ storePath, rowsDir }: Extract<FloorRequest, { step: 'insert' }>): Promise<FloorResult> {
  const store = await openChdbUsageStore({
    clock: systemClock,
    path: storePath,
    chunkRecords: 1_024,
    log: pino({ level: 'silent' }),
    registry: new Registry(),
  })
  await store.migrate()
  await store.stop()
  const { chdb } = createChdbConnection({ path: storePath })
  for (const [name, value] of Object.entries(ENGINE_SETTINGS)) await chdb.queryAsync(`SET ${name} = ${value}`)
  const inserts = readdirSync(rowsDir)
    .sort()
    .map((name) => ({ file: join(rowsDir, name), table: name.endsWith('events') ? ('events' as const) : ('usage_windows' as const) }))
  // Counted in the files, as merges leave fewer rows in the tables.
  const rows = { events: 0, usage_windows: 0 }
  for (const { table, file } of inserts) {
    const count = await chdb.queryAsync(`SELECT count() FROM file('${file}', Native)`, { format: 'TabSeparated' })
    rows[table] += Number(count.text())
  }
  await whenSettled(process.pid, 10_000)
  const cpuMs = (since: NodeJS.CpuUsage) => (process.cpuUsage(since).user + process.cpuUsage(since).system) / 1_000
  const before = process.cpuUsage()
  for (const { table, file } of inserts) {
    await chdb.queryAsync(`INSERT INTO ${table} (${columnsOf(table)}) SELECT * FROM file('${file}', Native)`)
  }
  const insertCpuMs = cpuMs(before)
  await whenSettled(process.pid, 60_000)
  return {
    events: rows.events,
    windowRows: rows.usage_windows,
    inserts: inserts.length,
    insertCpuMs,
    settledCpuMs: cpuMs(before),
  }
}

function columnsOf(table: 'events' | 'usage_windows'): string {
  return (table === 'events' ? encodeEvents([]) : encodeWindows([])).columns.join(', ')
}

const request = JSON.parse(process.argv[2] ?? '{}') as FloorRequest
const result = request.step === 'take' ? await takeRows(request) : await insertRows(request)
process.send?.(result, () => process.exit(0))
