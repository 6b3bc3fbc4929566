import { backoffMs } from '../../base/backoff.ts'
import type { Clock } from '../../base/clock.ts'
import type { FieldError } from '../../domain/refusal.ts'

export type RejectedEvent = { readonly index: number; readonly id?: string | null; readonly code: string; readonly detail: string }
export type SendResult = { readonly accepted: number; readonly rejected: readonly RejectedEvent[] }

/** Sends one NDJSON batch and returns the verdict on every event in it. */
export type EventSender = { send(ndjson: string, signal: AbortSignal): Promise<SendResult> }

export class ImportFailed extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'ImportFailed'
  }
}

/** With the waits below, about two minutes for a server that is away or full. */
const ATTEMPTS_MAX = 12
const RETRY_WAIT_MS_MAX = 15_000
const RETRY = { firstMs: 250, mostMs: RETRY_WAIT_MS_MAX }
const ANSWER_WAIT_MS_MAX = 120_000

export function createEventSender(options: {
  readonly url: string
  readonly key: string
  readonly isBackfill: boolean
  readonly clock: Pick<Clock, 'sleep'>
  readonly onRetry: (reason: string, waitMs: number) => void
}): EventSender {
  const target = new URL('/v1/events', options.url)
  if (options.isBackfill) target.searchParams.set('backfill', 'true')
  const headers = { authorization: `Bearer ${options.key}`, 'content-type': 'application/x-ndjson' }

  return {
    async send(ndjson, signal) {
      for (let attempt = 1; ; attempt++) {
        const answer = await post(target, headers, ndjson, signal)
        if ('result' in answer) return answer.result
        if (attempt >= ATTEMPTS_MAX) throw new ImportFailed(`gave up after ${attempt} attempts: ${answer.again}`)
        const waitMs = answer.waitMs ?? backoffMs(RETRY, attempt)
        options.onRetry(answer.again, waitMs)
        await options.clock.sleep(waitMs, signal)
        signal.throwIfAborted()
      }
    },
  }
}

type Answer = { readonly result: SendResult } | { readonly again: string; readonly waitMs?: number }

async function post(target: URL, headers: Record<string, string>, body: string, signal: AbortSignal): Promise<Answer> {
  let response: Response
  let text: string
  try {
    response = await fetch(target, {
      method: 'POST',
      headers,
      body,
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WAIT_MS_MAX)]),
    })
    text = await response.text()
  } catch (error) {
    signal.throwIfAborted()
    return { again: `${target.origin} did not answer (${reasonOf(error)})` }
  }
  const parsed = parseJson(text)
  if (response.status === 202) return { result: parsed as SendResult }
  if (response.status === 429 || response.status === 503) {
    const retryAfterSeconds = Number(response.headers.get('retry-after') ?? Number.NaN)
    const again = `${target.origin} answered ${response.status} (${String(parsed?.code)})`
    return Number.isFinite(retryAfterSeconds) ? { again, waitMs: Math.min(RETRY_WAIT_MS_MAX, retryAfterSeconds * 1_000) } : { again }
  }
  if (response.status === 400 && parsed?.code === 'invalid_events') return { result: allRejected(body, parsed.errors) }
  throw new ImportFailed(`${target.origin} answered ${response.status}: ${String(parsed?.detail ?? text.slice(0, 200))}`)
}

/** When no event of a batch is acceptable, the answer is a problem that names the first wrong ones. */
function allRejected(body: string, errors: unknown): SendResult {
  const named = new Map(((errors ?? []) as FieldError[]).map((error) => [error.field, error]))
  const rejected = body.split('\n').map((_line, index) => {
    const { code, detail } = named.get(`[${index}]`) ?? { code: 'invalid_event', detail: 'refused like those before it' }
    return { index, code, detail }
  })
  return { accepted: 0, rejected }
}

function parseJson(text: string): Readonly<Record<string, unknown>> | null {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return null
  }
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? ((cause as { code?: string }).code ?? cause.message) : String(cause)
}
