import { createHmac } from 'node:crypto'
import { invariant } from '../../base/invariant.ts'

/**
 * The `webhook-signature` of Standard Webhooks 1.0: `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body` under the decoded
 * secret, once for each secret in force, separated by spaces. While a secret is rotated both sign, and the receiver takes either.
 * `timestampSeconds` is the time of the try; the signed body is the one sent, to the byte.
 */
export function webhookSignature(secrets: readonly string[], webhookId: string, timestampSeconds: number, body: string): string {
  return secrets
    .map((secret) => {
      invariant(secret.startsWith(SECRET_PREFIX), `a webhook secret begins with ${SECRET_PREFIX}`)
      const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')
      return `v1,${createHmac('sha256', key).update(`${webhookId}.${timestampSeconds}.${body}`).digest('base64')}`
    })
    .join(' ')
}

const SECRET_PREFIX = 'whsec_'
