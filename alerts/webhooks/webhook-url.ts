import { isIP } from 'node:net'
import { type Outcome, refuseFields } from '../../domain/refusal.ts'

/**
 * A URL that webhooks can be sent to, as it was written. What its host resolves to is looked at at each try, as that may change;
 * an address that stands in the URL itself is refused here. Refuses `invalid_webhook_url`.
 */
export function readWebhookUrl(text: string, mayReach: (address: string) => boolean): Outcome<string> {
  const problem = problemOf(text, mayReach)
  if (problem === null) return text
  const detail = `url ${problem}; give one such as https://example.com/hooks, without user and password`
  return refuseFields('invalid_webhook_url', [{ field: 'url', code: 'invalid_webhook_url', detail }])
}

function problemOf(text: string, mayReach: (address: string) => boolean): string | null {
  if (!URL.canParse(text)) return 'is no URL'
  const { protocol, username, password, hash, hostname } = new URL(text)
  if (protocol !== 'https:' && protocol !== 'http:') return `must begin with https:// or http://, and begins with ${protocol}`
  if (username !== '' || password !== '') return 'has a user or a password in it'
  if (hash !== '') return 'has a fragment, which is never sent'
  const host = hostOf(hostname)
  const isLocal = host === 'localhost' || host.endsWith('.localhost')
  const address = isLocal ? '127.0.0.1' : host
  if ((isLocal || isIP(host) !== 0) && !mayReach(address)) return `leads to ${host}, which is not a public address`
  return null
}

/** An IPv6 address stands in brackets in a URL. */
export function hostOf(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}
