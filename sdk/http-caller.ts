import { LimitReachedError, TollgateError, UnavailableError } from './errors.ts'

export type HttpCallerOptions = {
  readonly url: string
  readonly key: string
  readonly fetch: typeof globalThis.fetch
  /** Tries in all, the first included. */
  readonly triesMax: number
  /** Bound on one try. */
  readonly tryTimeoutMs: number
  readonly backoffMinMs: number
  readonly backoffMaxMs: number
  /** In [0, 1): spreads the retries of many clients. */
  readonly random: () => number
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
}

export type CallOptions = { readonly signal?: AbortSignal; readonly isLastChance?: boolean }

export type HttpCaller = <Body>(method: 'GET' | 'POST', path: string, body?: unknown, options?: CallOptions) => Promise<Body>

type Problem = { readonly code?: string; readonly detail?: string }

/**
 * One JSON call with retries. Only what is safe to repeat is sent through it: every POST of the SDK carries an id made
 * before the first try, so that a try whose answer was lost counts once.
 */
export function createHttpCaller(options: HttpCallerOptions): HttpCaller {
  return async function call<Body>(method: 'GET' | 'POST', path: string, body?: unknown, callOptions: CallOptions = {}): Promise<Body> {
    for (let tries = 1; ; tries++) {
      const outcome = await attempt<Body>(options, method, path, body, callOptions)
      if ('body' in outcome) return outcome.body
      if (!outcome.error.canRetry || callOptions.isLastChance || tries >= options.triesMax) throw outcome.error
      await options.sleep(Math.max(outcome.retryAfterMs, backoffMs(options, tries)), callOptions.signal)
    }
  }
}

type Attempt<Body> = { readonly body: Body } | { readonly error: TollgateError; readonly retryAfterMs: number }

async function attempt<Body>(
  options: HttpCallerOptions,
  method: string,
  path: string,
  body: unknown,
  callOptions: CallOptions,
): Promise<Attempt<Body>> {
  const timeout = AbortSignal.timeout(options.tryTimeoutMs)
  const init: RequestInit = {
    method,
    headers: { authorization: `Bearer ${options.key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    signal: callOptions.signal ? AbortSignal.any([callOptions.signal, timeout]) : timeout,
    // Lets a page that is being closed finish its last batch.
    keepalive: callOptions.isLastChance ?? false,
  }
  if (body !== undefined) init.body = JSON.stringify(body)
  try {
    const response = await options.fetch(`${options.url}${path}`, init)
    const text = await response.text()
    if (response.ok) return { body: JSON.parse(text) as Body }
    return { error: errorOf(response.status, parseProblem(text)), retryAfterMs: retryAfterMs(response) }
  } catch (cause) {
    if (callOptions.signal?.aborted) throw callOptions.signal.reason
    const error = timeout.aborted
      ? new UnavailableError('timeout', `${options.url} gave no answer within ${options.tryTimeoutMs} ms`, { status: 0, cause })
      : new UnavailableError('tollgate_unreachable', `${options.url} could not be reached`, { status: 0, cause })
    return { error, retryAfterMs: 0 }
  }
}

function errorOf(status: number, problem: Problem): TollgateError {
  const code = problem.code ?? `http_${status}`
  const message = problem.detail ?? `the server answered ${status}`
  if (code === 'hard_limit_reached') return new LimitReachedError(message)
  if (status === 429 || status >= 500) return new UnavailableError(code, message, { status })
  return new TollgateError(code, message, { status, canRetry: false })
}

function parseProblem(text: string): Problem {
  try {
    return JSON.parse(text) as Problem
  } catch {
    // A proxy on the way may answer with a page of its own; its status says enough.
    return {}
  }
}

function retryAfterMs(response: Response): number {
  const seconds = Number(response.headers.get('retry-after'))
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : 0
}

/** Exponential with full jitter. */
function backoffMs(options: HttpCallerOptions, tries: number): number {
  const ceilingMs = Math.min(options.backoffMaxMs, options.backoffMinMs * 2 ** (tries - 1))
  return options.backoffMinMs + options.random() * (ceilingMs - options.backoffMinMs)
}
