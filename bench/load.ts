import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { UsageWorkload } from './usage-workload.ts'

/** What the load generator sends, and for how long. */
export type LoadSpec = {
  readonly port: number
  readonly key: string
  readonly connections: number
  readonly requests: RequestSpec
  readonly durationMs: number
  /** Ends the load after this many requests, whatever the time. */
  readonly requestsMax?: number
  /**
   * Sent at this rate however long the answers take, with latency counted from when a request was due; null: each connection
   * sends the next request when the last is answered.
   */
  readonly requestsPerSecond: number | null
}

export type RequestSpec =
  | {
      readonly kind: 'events'
      readonly batchEvents: number
      readonly workload: UsageWorkload
      /** First part of the ids, so that two loads on one server send different events. */
      readonly idPrefix: string
      /** Event times run evenly from this long ago to now over the whole load; 0: now. */
      readonly spreadMs: number
    }
  | { readonly kind: 'get'; readonly paths: readonly string[] }
  | { readonly kind: 'post'; readonly path: string; readonly bodies: readonly string[] }

export type LoadResult = {
  readonly requests: number
  /** Requests answered 2xx. */
  readonly succeeded: number
  readonly byStatus: Readonly<Record<string, number>>
  readonly events: number
  /** Events that are no repeats. */
  readonly newEvents: number
  readonly bytes: number
  readonly elapsedMs: number
  /** CPU of the generator itself, without the building of bodies. */
  readonly cpuMs: number
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number; readonly p999: number; readonly max: number }
}

/** The longest time for a load of this many events: any machine that is worth measuring is done earlier. */
export function withinMsOf(events: number, leastMs: number): number {
  return Math.max(leastMs, (events / EVENTS_PER_SECOND_MIN) * 1_000)
}

const EVENTS_PER_SECOND_MIN = 10_000

/** Runs a load in its own process. `started` is called when the bodies are built and the first request goes out. */
export async function runLoad(spec: LoadSpec, started: () => void = () => undefined): Promise<LoadResult> {
  const child = fork(join(import.meta.dirname, 'load-generator.ts'), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  try {
    return await new Promise<LoadResult>((resolve, reject) => {
      child.on('message', (message: { started: true } | { result: LoadResult } | { failure: string }) => {
        if ('started' in message) started()
        else if ('result' in message) resolve(message.result)
        else reject(new Error(`load generator: ${message.failure}`))
      })
      child.once('exit', (code) => reject(new Error(`the load generator ended early with code ${code}`)))
      child.send(spec)
    })
  } finally {
    child.kill()
  }
}
