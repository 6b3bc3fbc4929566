import { Webhook } from 'standardwebhooks'

/**
 * The `webhook-signature` of Standard Webhooks 1.0, once for each secret in force, separated by blanks: while a secret is rotated
 * both sign, and the receiver takes either. `atSeconds` is the time of the try; the signed body is the one sent, to the byte.
 */
export function webhookSignature(secrets: readonly string[], webhookId: string, atSeconds: number, body: string): string {
  return secrets.map((secret) => new Webhook(secret).sign(webhookId, new Date(atSeconds * 1_000), body)).join(' ')
}

/** The headers of a try, the signature among them. */
export function webhookHeaders(
  secrets: readonly string[],
  webhookId: string,
  nowMs: number,
  body: string,
): Readonly<Record<string, string>> {
  const atSeconds = Math.floor(nowMs / 1_000)
  return {
    'content-type': 'application/json',
    'webhook-id': webhookId,
    'webhook-timestamp': String(atSeconds),
    'webhook-signature': webhookSignature(secrets, webhookId, atSeconds, body),
  }
}

/** A secret of Standard Webhooks: 32 bytes of chance. */
export function webhookSecret(randomBytes: (count: number) => Uint8Array): string {
  return `whsec_${Buffer.from(randomBytes(SECRET_BYTES)).toString('base64')}`
}

const SECRET_BYTES = 32
