/** What is told; a newer server may know more. */
export const WEBHOOK_EVENT_TYPES = [
  ...(['subscription.created', 'subscription.changed', 'subscription.canceled', 'subscription.ended'] as const),
  ...(['invoice.drafted', 'invoice.finalised', 'invoice.paid', 'invoice.overdue', 'invoice.voided', 'invoice.uncollectible'] as const),
  ...(['payment.recorded', 'credit_note.issued'] as const),
  ...(['credit.granted', 'credit.depleted', 'credit.expired', 'credit.voided'] as const),
  ...(['usage.threshold_reached', 'usage.threshold_resolved'] as const),
  ...(['checkout.completed', 'checkout.expired', 'order.paid', 'order.refunded', 'order.disputed'] as const),
  ...(['license.issued', 'license.suspended', 'license.resumed', 'license.revoked'] as const),
  ...(['payment.failed', 'payment.action_required', 'payment.returned', 'payment.set_aside'] as const),
  ...(['coupon.ended', 'billing_run.finished', 'webhook.disabled', 'webhook.test'] as const),
] as const
export type WebhookEventType = (typeof WEBHOOK_EVENT_TYPES)[number] | (string & {})

/** An event as a webhook brings it, and as the feed holds it. */
export type WebhookEvent<Data = unknown> = {
  /** The same on every try: keep it to know a repeat. */
  readonly id: string
  readonly type: WebhookEventType
  readonly timestamp: string
  /** Id of what it is about. */
  readonly object: string
  /** A higher one of the same object is newer. */
  readonly version: number
  readonly data: Data
  /** The object before the change. */
  readonly previous?: Data
}

export type VerifyWebhookOptions = {
  /** How far the time of the webhook may be from now; 5 minutes when absent. */
  readonly toleranceSeconds?: number
  /** For tests. */
  readonly now?: () => number
}

/** The webhook was not sent by the holder of the secret, or not now. Answer 400. */
export class WebhookVerificationError extends Error {
  override readonly name = 'WebhookVerificationError'
}

/**
 * The event of a webhook that was signed with this secret (`whsec_…`), as Standard Webhooks 1.0 says. `body` is the body as it came,
 * to the byte: what a framework parsed and wrote again has another signature. Throws a `WebhookVerificationError`.
 */
export async function verifyWebhook(
  body: string,
  headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>,
  secret: string,
  options: VerifyWebhookOptions = {},
): Promise<WebhookEvent> {
  const { toleranceSeconds = 300, now = Date.now } = options
  const [id, timestamp, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => headerOf(headers, name))
  if (id === undefined || timestamp === undefined || signatures === undefined) {
    throw new WebhookVerificationError('a webhook has the headers webhook-id, webhook-timestamp and webhook-signature')
  }
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(now() / 1_000 - Number(timestamp)) > toleranceSeconds) {
    throw new WebhookVerificationError(`webhook-timestamp ${timestamp.slice(0, 20)} is more than ${toleranceSeconds} s from now`)
  }
  const key = await crypto.subtle.importKey('raw', bytesOf(secret.replace(/^whsec_/, '')), { name: 'HMAC', hash: 'SHA-256' }, false, [
    'verify',
  ])
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${body}`)
  for (const signature of signatures.split(' ')) {
    const [version, value = ''] = signature.split(',')
    if (version !== 'v1' || !BASE64.test(value)) continue
    // It compares in constant time.
    if (await crypto.subtle.verify('HMAC', key, bytesOf(value), signed)) return JSON.parse(body) as WebhookEvent
  }
  throw new WebhookVerificationError('no signature of the webhook was made with this secret')
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

function headerOf(headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>, name: string): string | undefined {
  const value = headers instanceof Headers ? headers.get(name) : (headers[name] ?? headers[name.toLowerCase()])
  return typeof value === 'string' ? value : (value?.[0] ?? undefined)
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
}
