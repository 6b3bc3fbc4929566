import { setTimeout as delay } from 'node:timers/promises'
import type { Ledger, SentEvent } from '../crash/ledger.ts'
import type { ServerPlace } from '../crash/server-life.ts'

/** Status 0 means no answer. */
export type Answer = { readonly status: number; readonly retryAfter: string | null; readonly body: Readonly<Record<string, unknown>> }

/** Requests besides those of the load, to see what a client and a probe see. */
export type Asking = {
  /** Posts an event: a new one when the last was acknowledged, otherwise that one again. The sender's record knows both. */
  postEvent(): Promise<Answer>
  decide(): Promise<Answer>
  readiness(): Promise<Answer>
}

export function createAsking(place: ServerPlace, ledger: Ledger): Asking {
  let events = 0
  let pending: SentEvent | null = null
  return {
    async postEvent() {
      const event = pending ?? { id: `asked-${events++}`, type: 'api.call', customer: 'asker', timeMs: Date.now(), data: {} }
      pending = event
      ledger.sending([event])
      const { id, type, customer, timeMs } = event
      const answer = await ask(place, 'POST', '/v1/events', { id, type, customer, time: new Date(timeMs).toISOString() })
      if (answer.status === 202) {
        ledger.acknowledged([event])
        pending = null
      }
      return answer
    },
    decide: () => ask(place, 'POST', '/v1/decisions', { customer: 'acme', feature: 'tokens', quantity: '1' }),
    readiness: () => ask(place, 'GET', '/readyz'),
  }
}

/** What `/readyz` reports of a store; undefined when it is well. */
export function detailOf(readiness: Answer, seam: 'catalog' | 'eventLog' | 'usageStore' | 'counters'): string | undefined {
  const seams = readiness.body.seams as Readonly<Record<string, { readonly detail?: string }>> | undefined
  return seams?.[seam]?.detail
}

async function ask({ port, adminKey }: ServerPlace, method: string, path: string, body?: unknown): Promise<Answer> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: `Bearer ${adminKey}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    })
    return { status: response.status, retryAfter: response.headers.get('retry-after'), body: (await response.json()) as Answer['body'] }
  } catch (error) {
    return { status: 0, retryAfter: null, body: { error: String(error) } }
  }
}

const ANSWER_WITHIN_MS = 20_000
const HOLDS_WITHIN_MS = 30_000

/** Resolves with the first answer that matches; throws with the last one when none does in time. */
export async function untilAnswer(ask: () => Promise<Answer>, isWanted: (answer: Answer) => boolean): Promise<Answer> {
  const deadlineMs = performance.now() + HOLDS_WITHIN_MS
  for (;;) {
    const answer = await ask()
    if (isWanted(answer)) return answer
    if (performance.now() > deadlineMs) throw new Error(`not within ${HOLDS_WITHIN_MS} ms; the last answer: ${JSON.stringify(answer)}`)
    await delay(20)
  }
}
