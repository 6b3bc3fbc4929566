import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { realTrace } from './real-trace.ts'

/** The hostile delivery as bodies of NDJSON, in the order of arrival: late, shuffled and with repeats, as the trace has them. */
export function readTraceDelivery(eventsPerRequest: number): readonly string[] {
  const [header = '', ...rows] = gunzipSync(readFileSync(realTrace.hostile)).toString().trimEnd().split('\n')
  const columns = header.split(',')
  const events = rows.map((row) => eventText(Object.fromEntries(row.split(',').map((value, index) => [columns[index] ?? '', value]))))
  const requests: string[] = []
  for (let start = 0; start < events.length; start += eventsPerRequest) {
    requests.push(events.slice(start, start + eventsPerRequest).join('\n'))
  }
  return requests
}

function eventText({ id, timestamp, customer, model, input_tokens, output_tokens }: Readonly<Record<string, string>>): string {
  const data = { model, input_tokens: Number(input_tokens), output_tokens: Number(output_tokens) }
  return JSON.stringify({ id, type: 'llm.request', time: timestamp, customer, data })
}
