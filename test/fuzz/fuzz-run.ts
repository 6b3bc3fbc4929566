import { removeDirectory, startTollgate, type TollgateProcess, waitFor } from '../support/servers/tollgate-process.ts'
import { gatherCrowd } from './crowd.ts'
import { createHostileRequests, type HostileRequest } from './hostile-request.ts'
import { wrongWith } from './judge.ts'
import { operationsOf } from './openapi-document.ts'
import { type CallAs, callerOf, directoryOfTwoTenants, fillTenant, readTenant, type TenantWorld } from './tenant-world.ts'
import { createWireClient, type ExchangeResult } from './wire-client.ts'

export type FuzzOptions = {
  readonly seed: number
  /** Number of the first request of the seed to send; 0 when undefined. */
  readonly from?: number
  readonly requests: number
  readonly connections: number
  /** Connections that send nothing, and bodies sent byte by byte, during the whole run. */
  readonly idle: number
  readonly slow: number
  readonly onProgress?: (sent: number, counts: Counts) => void
  /** Called at once, so that a long run need not end first. */
  readonly onFailure?: (failure: string) => void
}
/** Answers by route, then by status; `none` where the server closed instead, which only a broken request may get. */
export type Counts = ReadonlyMap<string, ReadonlyMap<string, number>>
export type Memory = { readonly sent: number; readonly heapBytes: number; readonly residentBytes: number }
export type FuzzReport = {
  readonly sent: number
  readonly counts: Counts
  /** Each with the seed, the number and the bytes of its request. */
  readonly failures: readonly string[]
  /** The first once warm, the last after the last request; each after a garbage collection. */
  readonly memory: readonly Memory[]
  readonly crowdHeld: number
}

const FAILURES_MAX = 10
/** By then caches and pools have reached their size. */
const WARM_AFTER_REQUESTS = 500
const MEMORY_EVERY_REQUESTS = 100_000
export const OTHERS_MARKER = 'quiet-heron-83'
const OTHERS_QUANTITY = '2718281.5'

/** Sends requests to a server with two tenants, in the name of one, and reports what came of it. */
export async function fuzzRun(options: FuzzOptions): Promise<FuzzReport> {
  const { dataDir, otherAdminKey } = await directoryOfTwoTenants()
  const collector = new URL('./collect-garbage-on-signal.ts', import.meta.url)
  const env = { NODE_OPTIONS: `--expose-gc --import=${collector.href}`, TOLLGATE_LOG_LEVEL: 'error', TOLLGATE_WRONG_KEYS_MAX: '1000000' }
  const tollgate = await startTollgate({ dataDir, env })
  try {
    return await fuzz(options, tollgate, otherAdminKey)
  } finally {
    await tollgate.kill()
    await removeDirectory(dataDir)
  }
}

async function fuzz(options: FuzzOptions, tollgate: TollgateProcess, otherAdminKey: string): Promise<FuzzReport> {
  const port = Number(new URL(tollgate.url).port)
  const callOwn = callerOf(tollgate, tollgate.adminKey)
  const callOther = callerOf(tollgate, otherAdminKey)
  const own = await fillTenant(callOwn, tollgate.adminKey, 'amber-otter-17', '1000')
  const other = await fillTenant(callOther, otherAdminKey, OTHERS_MARKER, OTHERS_QUANTITY)
  await waitFor(async () => (await readTenant(callOther, other).catch(() => null)) !== null)
  const otherBefore = await readTenant(callOther, other)
  const requests = createHostileRequests({
    seed: options.seed,
    operations: operationsOf(await callOwn('GET', '/openapi.json')),
    worlds: { own, other },
    keys: [...(await keysOfOwn(callOwn, tollgate.adminKey)), own.token],
  })

  const crowd = await gatherCrowd(port, tollgate.adminKey, options)
  const failures: string[] = []
  const counts = new Map<string, Map<string, number>>()
  const memory: Memory[] = []
  const from = options.from ?? 0
  let next = from
  let sent = 0

  async function sendUntil(limit: number): Promise<void> {
    await Promise.all(
      Array.from({ length: options.connections }, async () => {
        const client = createWireClient(port)
        while (next < limit && failures.length < FAILURES_MAX) {
          const index = next++
          const request = requests(index)
          const failed = await client.exchange(request).then(
            (result) => count(request, result),
            (error: unknown) => String(error),
          )
          sent++
          if (failed !== null) {
            const failure = failureText(options.seed, index, request, failed)
            failures.push(failure)
            options.onFailure?.(failure)
          }
          options.onProgress?.(sent, counts)
        }
        client.close()
      }),
    )
  }

  function count(request: HostileRequest, result: ExchangeResult): string | null {
    const byStatus = counts.get(request.route) ?? new Map<string, number>()
    counts.set(request.route, byStatus)
    const add = (status: string) => byStatus.set(status, (byStatus.get(status) ?? 0) + 1)
    for (const { status } of result.answers) add(String(status))
    if (result.answers.length === 0) add('none')
    return judged(request, result)
  }

  for (let legEnd = WARM_AFTER_REQUESTS; sent < options.requests && failures.length < FAILURES_MAX; legEnd += MEMORY_EVERY_REQUESTS) {
    await sendUntil(from + Math.min(legEnd, options.requests))
    try {
      memory.push({ sent, ...(await memoryOf(tollgate)) })
    } catch (error) {
      // Wrong, but no reason to lose the findings of the run.
      const failure = `the memory could not be read after ${sent} requests: ${String(error)}`
      failures.push(failure)
      options.onFailure?.(failure)
    }
  }
  const crowdHeld = crowd.held()
  crowd.leave()

  const report = { sent, counts, failures, memory, crowdHeld }
  failures.push(...(await wrongAfterwards(tollgate, callOwn, callOther, other, otherBefore)))
  return report
}

async function keysOfOwn(call: CallAs, adminKey: string): Promise<readonly string[]> {
  const scoped = []
  for (const scopes of [['read', 'decide'], ['ingest']]) {
    scoped.push((await call<{ key: string }>('POST', '/v1/keys', { name: 'fuzz', scopes })).key)
  }
  // Mostly a key with all scopes, as a request refused for its key tests nothing further.
  return [...Array.from({ length: 8 }, () => adminKey), ...scoped]
}

/** What is wrong with the answers to a request; null when nothing is. */
function judged(request: HostileRequest, { answers, isClosed, restBytes }: ExchangeResult): string | null {
  for (const [place, answer] of answers.entries()) {
    // Readiness has its own shape, also when it is not ready.
    if (answer.status === 503 && answer.body.startsWith('{"status":"not_ready"')) continue
    const wrong = wrongWith(answer, [OTHERS_MARKER, OTHERS_QUANTITY], request.isHead[place])
    if (wrong !== null) return `${wrong}; answered ${answer.status} ${answer.body.slice(0, 500)}`
  }
  if (request.connection !== 'cut' && restBytes > 0) return `${restBytes} bytes that are no whole answer`
  const isShort = answers.length < request.isHead.length
  const saidClose = answers.at(-1)?.headers.get('connection')?.toLowerCase() === 'close'
  if (isShort && isClosed && !saidClose && !request.mayGoUnanswered) return 'the server closed without an answer'
  return null
}

function failureText(seed: number, index: number, { kind, route, bytes }: HostileRequest, wrong: string): string {
  const sent = JSON.stringify(Buffer.concat([...bytes]).toString('latin1')).slice(0, 3_000)
  return `seed ${seed}, request ${index} (${kind}, ${route}): ${wrong}\n  sent: ${sent}\n  again: npm run test:fuzz -- --seed ${seed} --from ${index} --requests 1`
}

async function memoryOf(tollgate: TollgateProcess): Promise<Omit<Memory, 'sent'>> {
  const collections = async () =>
    sumOf((await tollgate.call('GET', '/metrics')).text, /^nodejs_gc_duration_seconds_count\{.*major.*\} (\S+)$/gm)
  const before = await collections()
  process.kill(tollgate.pid, 'SIGUSR2')
  await waitFor(async () => (await collections()) > before)
  const { text } = await tollgate.call('GET', '/metrics')
  return {
    heapBytes: sumOf(text, /^nodejs_(?:heap_size_used|external_memory)_bytes (\S+)$/gm),
    residentBytes: sumOf(text, /^process_resident_memory_bytes (\S+)$/gm),
  }
}

function sumOf(metrics: string, pattern: RegExp): number {
  return [...metrics.matchAll(pattern)].reduce((sum, [, value]) => sum + Number(value), 0)
}

/** The server must serve as before, and the other tenant's data be unchanged. */
async function wrongAfterwards(
  tollgate: TollgateProcess,
  callOwn: CallAs,
  callOther: CallAs,
  other: TenantWorld,
  otherBefore: Readonly<Record<string, unknown>>,
): Promise<readonly string[]> {
  const wrong: string[] = []
  try {
    await waitFor(async () => (await tollgate.call('GET', '/readyz')).status === 200)
    await callOwn('PUT', '/v1/customers/afterwards', { name: 'Afterwards' })
    const event = { id: 'after-1', type: 'llm.request', customer: 'afterwards', data: { input_tokens: 2, output_tokens: 3 } }
    await callOwn('POST', '/v1/events', event)
    await waitFor(async () => (await tollgate.call('GET', '/v1/events/after-1?customer=afterwards')).status === 200)
    const otherAfter = await readTenant(callOther, other)
    for (const [path, before] of Object.entries(otherBefore)) {
      const [was, is] = [before, otherAfter[path]].map((value) => JSON.stringify(value))
      if (was !== is) wrong.push(`what the other tenant reads at ${path} was ${was} and is ${is}`)
    }
  } catch (error) {
    wrong.push(`afterwards: ${String(error)}\n${tollgate.output().slice(-3_000)}`)
  }
  return wrong
}
