import { type FieldProblem, type LimitReached, LimitReachedError, RequestError, type TollgateFailure, UnavailableError } from './errors.ts'
import type { Sleep } from './sleep.ts'

export type HttpCallerOptions = {
  /** Without a trailing slash. */
  readonly url: string
  readonly key: string
  readonly fetch: typeof globalThis.fetch
  /** Tries in all, including the first. */
  readonly triesMax: number
  /** Bound on one try. */
  readonly tryTimeoutMs: number
  readonly backoffMinMs: number
  /** Bound on one wait between tries. A longer `Retry-After` ends the call, and the error carries it. */
  readonly waitMsMax: number
  /** In [0, 1): spreads the retries of many clients. */
  readonly random: () => number
  readonly sleep: Sleep
  /** Milliseconds since 1970, to read a `Retry-After` that is a date. */
  readonly now: () => number
}

export type CallOptions = {
  /** Ends the call at once; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** Bound on all tries together. */
  readonly withinMs?: number
  readonly triesMax?: number
  /** Lets a page that is being closed finish the request. The browser bounds the bytes of such bodies. */
  readonly keepalive?: boolean
  /** False in the background, where a wait for the next try must not keep the process open. */
  readonly holdsProcess?: boolean
}

/** A POST of JSON that is written before the first try, so that every try sends the same; a GET where it is null. */
export type HttpCaller = <Answer>(path: string, json: string | null, options?: CallOptions) => Promise<Answer>

/**
 * Calls with retries. Every request is safe to repeat: one that changes something carries an id made before the first try, so
 * that a try whose answer was lost counts once.
 */
export function createHttpCaller(options: HttpCallerOptions): HttpCaller {
  return async function call<Answer>(path: string, json: string | null, callOptions: CallOptions = {}): Promise<Answer> {
    const { signal, withinMs, triesMax = options.triesMax, holdsProcess = true } = callOptions
    const deadline = withinMs === undefined ? undefined : AbortSignal.timeout(withinMs)
    const ended = anyOf(signal, deadline)
    for (let tries = 1; ; tries++) {
      signal?.throwIfAborted()
      const outcome = await attempt<Answer>(options, path, json, ended, callOptions.keepalive ?? false)
      signal?.throwIfAborted()
      if ('answer' in outcome) return outcome.answer
      const { error } = outcome
      if (deadline?.aborted) throw tookTooLong(options.url, `${withinMs} ms and ${tries} tries`, error)
      if (!(error instanceof UnavailableError) || tries >= triesMax) throw error
      const waitMs = Math.max(error.retryAfterMs, backoffMs(options, tries))
      if (waitMs > options.waitMsMax) throw error
      try {
        await options.sleep(waitMs, { holdsProcess, ...(ended === undefined ? {} : { signal: ended }) })
      } catch (reason) {
        if (deadline?.aborted && !signal?.aborted) throw tookTooLong(options.url, `${withinMs} ms and ${tries} tries`, error)
        throw reason
      }
    }
  }
}

type Attempt<Answer> = { readonly answer: Answer } | { readonly error: TollgateFailure }

async function attempt<Answer>(
  options: HttpCallerOptions,
  path: string,
  json: string | null,
  ended: AbortSignal | undefined,
  keepalive: boolean,
): Promise<Attempt<Answer>> {
  const { url, key, tryTimeoutMs } = options
  const timeout = AbortSignal.timeout(tryTimeoutMs)
  try {
    const response = await options.fetch(`${url}${path}`, {
      method: json === null ? 'GET' : 'POST',
      // Times are the app's: where its clock is wrong, the server puts them right by the time of sending.
      headers: {
        authorization: `Bearer ${key}`,
        ...(json === null ? {} : { 'content-type': 'application/json', 'tollgate-sent-at': new Date(options.now()).toISOString() }),
      },
      body: json,
      signal: anyOf(ended, timeout) ?? timeout,
      keepalive,
    })
    const body = parseJson(await response.text())
    if (!response.ok) return { error: errorOf(response, (body ?? {}) as Problem, options.now()) }
    if (typeof body === 'object' && body !== null) return { answer: body as Answer }
    const message = `${url} answered ${response.status} with what is no JSON object: something in between may have answered in its place`
    return { error: new UnavailableError('unreadable_answer', message, { status: response.status }) }
  } catch (cause) {
    if (timeout.aborted) return { error: tookTooLong(url, `${tryTimeoutMs} ms`, cause) }
    return { error: new UnavailableError('unreachable', `${url} could not be reached`, { status: 0, cause }) }
  }
}

type Problem = Partial<LimitReached> & {
  readonly code?: string
  readonly detail?: string
  readonly errors?: readonly FieldProblem[]
}

/** Answers of a proxy that gave up, and of a server that asks for patience or had an error of its own. */
const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 425, 429])

function errorOf({ status, headers }: Response, problem: Problem, nowMs: number): TollgateFailure {
  const code = problem.code ?? `http_${status}`
  const message = problem.detail ?? `the server answered ${status}`
  if (code === 'hard_limit_reached') return new LimitReachedError(message, status, problem)
  if (status < 500 && !PASSING_STATUSES.has(status)) return new RequestError(code, message, { status, errors: problem.errors ?? [] })
  return new UnavailableError(code, message, { status, retryAfterMs: retryAfterMs(headers.get('retry-after'), nowMs) })
}

function tookTooLong(url: string, bound: string, cause: unknown): UnavailableError {
  return new UnavailableError('timeout', `${url} gave no answer within ${bound}`, { status: 0, cause })
}

/** Undefined for a proxy's own page. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Reads seconds or an HTTP date (RFC 9110); 0 for neither. */
function retryAfterMs(header: string | null, nowMs: number): number {
  if (header === null) return 0
  if (/^\d+$/.test(header)) return Number(header) * 1_000
  const waitMs = / GMT$/.test(header) ? Date.parse(header) - nowMs : 0
  return Number.isNaN(waitMs) ? 0 : Math.max(waitMs, 0)
}

/** Exponential; the upper half is random, from the first wait on. */
function backoffMs({ backoffMinMs, waitMsMax, random }: HttpCallerOptions, tries: number): number {
  const ceilingMs = Math.min(waitMsMax, backoffMinMs * 2 ** tries)
  return (ceilingMs * (1 + random())) / 2
}

function anyOf(first: AbortSignal | undefined, second: AbortSignal | undefined): AbortSignal | undefined {
  return first && second ? AbortSignal.any([first, second]) : (first ?? second)
}
