import { join } from 'node:path'
import { createChdbConnection } from 'chdb/connection'
import { removeDirectory, runTollgate, startTollgate, type TollgateProcess } from '../../test/support/servers/tollgate-process.ts'
import { TRACE_REQUESTS } from '../../test/support/trace/real-trace.ts'
import { TRACE_IMPORT_OPTIONS, writeTraceFile } from '../../test/support/trace/trace-delivery.ts'
import { serverEnvironment, storedBytes, whenQueryable } from '../measured-server.ts'
import type { BenchContext, BenchPart, Figure } from '../part.ts'
import { whenSettled } from '../process-usage.ts'

export const storagePart: BenchPart = {
  name: 'storage',
  about: 'stored bytes per event of a public trace of LLM requests',
  run: measureStorage,
}

const TRACE_SINCE_MS = Date.UTC(2023, 10, 1)
const WITHIN_MS = 60_000

/** With one meter, as most events of an installation are counted by one. */
async function measureStorage(context: BenchContext): Promise<readonly Figure[]> {
  const server = await startTollgate({ env: serverEnvironment(context) })
  try {
    await createMeter(server)
    const events = TRACE_REQUESTS
    const file = await writeTraceFile('clean', server.dataDir)
    const { code, output } = await runTollgate(['import', file, ...TRACE_IMPORT_OPTIONS, '--url', server.url, '--key', server.adminKey], {})
    if (code !== 0) throw new Error(output)
    context.progress('merges')
    await whenQueryable(server, TRACE_SINCE_MS, events, WITHIN_MS)
    await whenSettled(server.pid, WITHIN_MS)
    const logBytes = storedBytes(server, 'event-log')
    await server.stop()
    const tables = await tableBytes(join(server.dataDir, 'usage-store'))
    const bytesOf = (table: string) => (tables.get(table) ?? Number.NaN) / events
    return [
      {
        what: 'events and windows',
        value: bytesOf('events') + bytesOf('usage_windows'),
        unit: 'bytes/event',
        budget: { max: 20 },
        note: `events ${bytesOf('events').toFixed(1)}, windows ${bytesOf('usage_windows').toFixed(1)}; ${events.toLocaleString('en')} events, merged as far as the engine did by itself; event log ${(logBytes / events).toFixed(0)} for as long as it is kept`,
      },
    ]
  } finally {
    await server.stop()
    await removeDirectory(server.dataDir)
  }
}

async function createMeter(server: TollgateProcess): Promise<void> {
  const value = ['input_tokens', 'output_tokens']
  await server.ok('PUT', '/v1/meters/requests', { eventType: 'llm.request', aggregation: 'sum', value, dimensions: { model: 'model' } })
}

/** Bytes of active parts; leftovers of merges disappear by themselves. */
async function tableBytes(path: string): Promise<ReadonlyMap<string, number>> {
  const { chdb } = createChdbConnection({ path })
  const sql = "SELECT table, sum(bytes_on_disk) FROM system.parts WHERE active AND table IN ('events', 'usage_windows') GROUP BY table"
  const text = (await chdb.queryAsync(sql, { format: 'TabSeparated' })).text()
  const rows = text
    .trim()
    .split('\n')
    .map((line) => line.split('\t'))
  return new Map(rows.map(([table = '', bytes]) => [table, Number(bytes)]))
}
