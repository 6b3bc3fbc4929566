import { readRealTrace, type TraceRequest } from './real-trace.ts'

/** The answers of the meters of `createTraceCatalog` about a group of requests, by meter, as decimals. */
export type TraceTotals = Readonly<Record<(typeof TRACE_METERS)[number], string>>

export const TRACE_METERS = [
  'requests',
  'input_tokens',
  'output_tokens',
  'total_tokens',
  'min_tokens',
  'max_tokens',
  'avg_tokens',
  'models',
] as const

/** Computed from the trace alone, in whole numbers; `keyOf` names a request's group. */
export function traceTotals(keyOf: (request: TraceRequest) => string): Readonly<Record<string, TraceTotals>> {
  const groups = Map.groupBy(readRealTrace(), keyOf)
  return Object.fromEntries([...groups].map(([key, requests]) => [key, totalsOf(requests)]))
}

function totalsOf(requests: readonly TraceRequest[]): TraceTotals {
  const totals = requests.map(({ inputTokens, outputTokens }) => inputTokens + outputTokens)
  const total = sum(totals)
  return {
    requests: String(requests.length),
    input_tokens: String(sum(requests.map(({ inputTokens }) => inputTokens))),
    output_tokens: String(sum(requests.map(({ outputTokens }) => outputTokens))),
    total_tokens: String(total),
    min_tokens: String(Math.min(...totals)),
    max_tokens: String(Math.max(...totals)),
    avg_tokens: quotient(BigInt(total), BigInt(requests.length)),
    models: String(new Set(requests.map(({ model }) => model)).size),
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

/** Nine fractional digits, half up, without zeros at the end. */
function quotient(dividend: bigint, divisor: bigint): string {
  const nano = (2n * dividend * 1_000_000_000n + divisor) / (2n * divisor)
  const fraction = String(nano % 1_000_000_000n).padStart(9, '0')
  return `${nano / 1_000_000_000n}.${fraction}`.replace(/\.?0+$/, '')
}
