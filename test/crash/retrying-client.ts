import { setTimeout as delay } from 'node:timers/promises'
import { Difference } from './difference.ts'

export type ClientAnswer = { readonly status: number; readonly body: unknown; readonly text: string }

/** Sends as a careful app does: the same request again and again until there is a final answer. */
export type RetryingClient = {
  /** One try. Null when there was no answer, or one that asks to try again (429, 503, a meter that is backfilling). */
  once(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<ClientAnswer | null>
  /** Tries until there is a final answer. */
  send(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<ClientAnswer>
  /** `send`, which throws a difference on another status. */
  expect<Body = unknown>(method: string, path: string, body: unknown, statuses: readonly number[]): Promise<Body>
  /** Tries until true, with a pause between. */
  until(isDone: () => Promise<boolean>): Promise<void>
  retries(): number
  /** Final answers so far. */
  answers(): number
}

const ANSWER_WITHIN_MS = 20_000
/** Over all the lives that a run may take, on a busy machine. */
const STANDS_WITHIN_MS = 300_000
/** Grows with each try, up to PAUSE_MS_MAX. */
const PAUSE_MS = 30
const PAUSE_MS_MAX = 300

/** A function gives the address before each try, so that another server may be tried next. */
export function createRetryingClient(address: string | ((method: string, path: string) => string), key: string): RetryingClient {
  let retries = 0
  let answers = 0

  async function once(method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) {
    let answer: ClientAnswer
    const url = typeof address === 'string' ? address : address(method, path)
    try {
      const response = await fetch(`${url}${path}`, {
        method,
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
        ...requestOf(body, { authorization: `Bearer ${key}`, ...headers }),
      })
      const text = await response.text()
      answer = { status: response.status, text, body: text.startsWith('{') ? JSON.parse(text) : text }
    } catch (error) {
      // Any error: the server may be dead, and the request may have been served nevertheless.
      if (error instanceof Error) return null
      throw error
    }
    if (answer.status === 503 || answer.status === 429 || isBackfilling(answer)) return null
    if (answer.status >= 500) throw new Difference(`${method} ${path}`, 'no 5xx but 503', `${answer.status} ${answer.text.slice(0, 500)}`)
    answers++
    return answer
  }

  async function until(isDone: () => Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + STANDS_WITHIN_MS
    for (let tries = 1; !(await isDone()); tries++) {
      if (performance.now() > deadlineMs) throw new Difference('a request', `an answer within ${STANDS_WITHIN_MS} ms`, 'none')
      retries++
      await delay(Math.min(PAUSE_MS * tries, PAUSE_MS_MAX))
    }
  }

  async function send(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<ClientAnswer> {
    let answer: ClientAnswer | null = null
    await until(async () => {
      answer = await once(method, path, body, headers)
      return answer !== null
    })
    if (answer === null) throw new Error('until ends with an answer')
    return answer
  }

  return {
    once,
    send,
    until,
    async expect<Body>(method: string, path: string, body: unknown, statuses: readonly number[]) {
      const answer = await send(method, path, body)
      if (statuses.includes(answer.status)) return answer.body as Body
      throw new Difference(`${method} ${path}`, statuses.join(' or '), `${answer.status} ${answer.text.slice(0, 500)}`)
    },
    retries: () => retries,
    answers: () => answers,
  }
}

/** A meter that was changed a moment ago, whose answer asks to try again. */
function isBackfilling({ status, body }: ClientAnswer): boolean {
  return status === 409 && (body as { readonly code?: string }).code === 'meter_backfilling'
}

function requestOf(body: unknown, headers: Readonly<Record<string, string>>): RequestInit {
  if (body === undefined) return { headers }
  if (typeof body === 'string' || body instanceof Uint8Array) return { headers, body: body as NonNullable<RequestInit['body']> }
  return { headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }
}
