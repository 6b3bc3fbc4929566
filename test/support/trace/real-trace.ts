import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

/** One request of the trace. `time` is RFC 3339 with seven fractional digits. */
export type TraceRequest = {
  readonly id: string
  readonly time: string
  readonly model: 'azure-code' | 'azure-conv'
  readonly customer: string
  readonly inputTokens: number
  readonly outputTokens: number
}

export const TRACE_REQUESTS = 28_185
export const TRACE_CUSTOMERS = 97

/** The requests of `test/data/azure-llm-2023`, each service in the order of its file. */
export function readRealTrace(): readonly TraceRequest[] {
  return [...readService('code'), ...readService('conv')]
}

function readService(service: 'code' | 'conv'): TraceRequest[] {
  const file = new URL(`../../data/azure-llm-2023/${service}.csv.gz`, import.meta.url)
  const [, ...rows] = gunzipSync(readFileSync(file)).toString().trimEnd().split('\r\n')
  return rows.map((row, index) => {
    const [timestamp = '', inputTokens, outputTokens] = row.split(',')
    return {
      id: `az-${service}-${String(index).padStart(6, '0')}`,
      time: `${timestamp.replace(' ', 'T')}Z`,
      model: `azure-${service}`,
      customer: `cust_${String(index % TRACE_CUSTOMERS).padStart(2, '0')}`,
      inputTokens: Number(inputTokens),
      outputTokens: Number(outputTokens),
    }
  })
}
