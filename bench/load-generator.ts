import { percentile } from './distribution.ts'
import { type HttpConnection, openHttpConnection } from './http-connection.ts'
import type { LoadResult, LoadSpec } from './load.ts'
import { createRequestSource, type RequestSource } from './request-source.ts'

/** Sends one load and reports it; started by load.ts. */
process.once('message', (spec: LoadSpec) => {
  generateLoad(spec).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ failure: error instanceof Error ? error.message : String(error) }),
  )
})

async function generateLoad(spec: LoadSpec): Promise<LoadResult> {
  const source = createRequestSource(spec)
  const run = createRun(spec)
  const connections: HttpConnection[] = []
  // No more connections than are used once a second, as the server closes one that is silent for some seconds.
  const used = Math.max(1, Math.min(spec.connections, Math.floor(spec.requestsPerSecond ?? spec.connections)))
  for (let count = 0; count < used; count++) connections.push(await openHttpConnection(spec.port, run.fail))
  process.send?.({ started: true })
  run.begin()
  const cpuBefore = process.cpuUsage()
  if (spec.requestsPerSecond === null) for (const connection of connections) sendOnAnswer(run, source, connection)
  else sendAtRate(run, source, connections, spec.requestsPerSecond)
  await run.ended
  const { user, system } = process.cpuUsage(cpuBefore)
  for (const connection of connections) connection.close()
  return run.result(source, (user + system) / 1_000)
}

type Run = ReturnType<typeof createRun>

function createRun(spec: LoadSpec) {
  const requestsMax = spec.requestsMax ?? Number.POSITIVE_INFINITY
  const latencies: number[] = []
  const byStatus: Record<string, number> = {}
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
  let startedMs = 0
  let endedMs = 0
  let sent = 0
  let answered = 0

  const isOver = () => sent >= requestsMax || performance.now() - startedMs >= spec.durationMs
  return {
    ended,
    fail: reject,
    begin() {
      startedMs = performance.now()
    },
    isOver,
    startedMs: () => startedMs,
    sent() {
      sent++
    },
    answered(status: number, dueMs: number) {
      endedMs = performance.now()
      answered++
      byStatus[status] = (byStatus[status] ?? 0) + 1
      if (latencies.length < LATENCIES_MAX) latencies.push(endedMs - dueMs)
      if (answered === sent && isOver()) resolve()
    },
    /** For a load with pauses: its last answer may have come before its time was over. */
    endWhenOver() {
      if (answered === sent && isOver()) resolve()
    },
    result(source: RequestSource, cpuMs: number): LoadResult {
      const succeeded = Object.entries(byStatus).reduce((sum, [status, count]) => (status.startsWith('2') ? sum + count : sum), 0)
      return {
        requests: answered,
        succeeded,
        byStatus,
        ...source.sent(),
        elapsedMs: endedMs - startedMs,
        cpuMs,
        latencyMs: {
          p50: percentile(latencies, 0.5),
          p95: percentile(latencies, 0.95),
          p99: percentile(latencies, 0.99),
          p999: percentile(latencies, 0.999),
          max: percentile(latencies, 1),
        },
      }
    },
  }
}

const LATENCIES_MAX = 5_000_000

function sendOnAnswer(run: Run, source: RequestSource, connection: HttpConnection): void {
  if (run.isOver()) return
  const request = source.next()
  const dueMs = performance.now()
  run.sent()
  connection.send(request, (status) => {
    run.answered(status, dueMs)
    sendOnAnswer(run, source, connection)
  })
}

/** A request that finds no free connection waits, and its wait counts. */
function sendAtRate(run: Run, source: RequestSource, connections: readonly HttpConnection[], requestsPerSecond: number): void {
  // Taken in turn, so that every connection is used.
  const free = [...connections]
  const intervalMs = 1_000 / requestsPerSecond
  let due = 0
  const sendDue = () => {
    while (free.length > 0 && !run.isOver()) {
      const dueMs = run.startedMs() + due * intervalMs
      if (dueMs > performance.now()) return
      const connection = free.shift()
      if (connection === undefined) return
      due++
      run.sent()
      connection.send(source.next(), (status) => {
        free.push(connection)
        run.answered(status, dueMs)
        sendDue()
      })
    }
  }
  const tick = () => {
    sendDue()
    if (run.isOver()) run.endWhenOver()
    else setTimeout(tick, 1)
  }
  tick()
}
