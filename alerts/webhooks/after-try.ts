import type { DeliveryState } from '../../adapters/database/webhooks/webhook-delivery-store.ts'
import type { DisabledReason } from '../../adapters/database/webhooks/webhook-endpoint-store.ts'
import type { InstantMs } from '../../domain/identity.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../domain/time/durations.ts'
import type { SendResult } from './send-webhook.ts'

/** What follows from a try. `tries` counts it too; `chance` in [0, 1) spreads what failed together. */
export function afterTry(
  tries: number,
  { status, retryAfterMs }: Pick<SendResult, 'status' | 'retryAfterMs'>,
  nowMs: InstantMs,
  chance: number,
): AfterTry {
  if (status !== null && status >= 200 && status < 300) return { state: 'delivered', nextAtMs: nowMs, disable: null }
  if (status === 410) return { state: 'failed', nextAtMs: nowMs, disable: 'gone' }
  const waitMs = WAITS_MS[tries - 1]
  if (waitMs === undefined) return { state: 'failed', nextAtMs: nowMs, disable: 'failing' }
  const spreadMs = waitMs * (1 + JITTER * chance)
  return {
    state: 'pending',
    nextAtMs: (nowMs + Math.max(spreadMs, Math.min(retryAfterMs ?? 0, RETRY_AFTER_MS_MAX))) as InstantMs,
    disable: null,
  }
}

/** `disable`: `failing` only if nothing was delivered within the last day. */
export type AfterTry = { readonly state: DeliveryState; readonly nextAtMs: InstantMs; readonly disable: DisabledReason | null }

/** Before the second try, the third, and so on: the last is a little over three days after the first. */
export const WAITS_MS: readonly number[] = [
  ...[5_000, 5 * MINUTE_MS, 30 * MINUTE_MS],
  ...[2, 5, 10, 14, 20, 24].map((hours) => hours * HOUR_MS),
]
const JITTER = 0.2
const RETRY_AFTER_MS_MAX = DAY_MS
