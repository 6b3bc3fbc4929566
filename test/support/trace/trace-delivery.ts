import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { createSeededRandom } from '../seeded-random.ts'
import { readRealTrace, type TraceRequest } from './real-trace.ts'

export type TraceDelivery = 'clean' | 'hostile'

/** Options of `tollgate import` for the columns of a written trace file. */
export const TRACE_IMPORT_OPTIONS = [
  ...['--type', 'llm.request', '--backfill', '--id', 'id', '--time', 'timestamp', '--customer', 'customer'],
  ...['--data', 'model,input_tokens:number,output_tokens:number'],
]

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Writes the trace as compressed CSV in the order of delivery; returns the path of the file. */
export async function writeTraceFile(delivery: TraceDelivery, dir: string): Promise<string> {
  const requests = delivery === 'clean' ? readRealTrace() : hostileTrace()
  const rows = requests.map(({ id, time, model, customer, inputTokens, outputTokens }) =>
    [id, time, model, customer, inputTokens, outputTokens].join(','),
  )
  const file = join(dir, `trace-${delivery}.csv.gz`)
  await writeFile(file, gzipSync(`id,timestamp,model,customer,input_tokens,output_tokens\n${rows.join('\n')}\n`))
  return file
}

/** The hostile delivery as bodies of NDJSON. */
export function hostileBodies(eventsPerBody: number): readonly string[] {
  const events = hostileTrace().map(({ id, time, model, customer, inputTokens, outputTokens }) =>
    JSON.stringify({ id, type: 'llm.request', time, customer, data: { model, input_tokens: inputTokens, output_tokens: outputTokens } }),
  )
  const bodies: string[] = []
  for (let start = 0; start < events.length; start += eventsPerBody) bodies.push(events.slice(start, start + eventsPerBody).join('\n'))
  return bodies
}

/** The trace as a bad network delivers it: 3% of the requests 1 to 5 times more, the order mixed within an hour, 2% late by 1 to 5 days. */
function hostileTrace(): readonly TraceRequest[] {
  const random = createSeededRandom('hostile delivery')
  return readRealTrace()
    .flatMap((request) => {
      const sentMs = Date.parse(request.time) + (random.chance(0.02) ? random.between(DAY_MS, 5 * DAY_MS) : 0)
      const copies = random.chance(0.03) ? 1 + random.between(1, 5) : 1
      return Array.from({ length: copies }, () => ({ request, arrivedMs: sentMs + random.below(HOUR_MS) }))
    })
    .toSorted((a, b) => a.arrivedMs - b.arrivedMs)
    .map(({ request }) => request)
}
