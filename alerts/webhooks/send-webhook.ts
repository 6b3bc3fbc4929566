import { type LookupAddress, lookup as resolveHost } from 'node:dns'
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { networkInterfaces } from 'node:os'
import { addressMatcher } from '../../base/address-range.ts'
import type { Clock } from '../../base/clock.ts'
import { WEBHOOK_BOUNDS } from '../../domain/webhooks/webhook-bounds.ts'
import { hostOf } from './webhook-url.ts'

/** One try. Never rejects: what went wrong is `error`. */
export type SendWebhook = (wanted: WantedSend) => Promise<SendResult>
export type WantedSend = { readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly body: string }

export type SendResult = {
  /** Null without an answer. */
  readonly status: number | null
  /** The beginning of the answer's body. */
  readonly answer: string | null
  /** As the answer's `Retry-After` says. */
  readonly retryAfterMs: number | null
  readonly error: string | null
}

export type WebhookSender = { readonly send: SendWebhook; stop(): void }

export type WebhookSenderOptions = {
  readonly mayReach: (address: string) => boolean
  /** Ports of this process: nothing is sent to itself. */
  readonly ownPorts: readonly number[]
  readonly tryMs?: number
  /** For tests: how hosts are resolved. */
  readonly resolve?: typeof resolveHost
  readonly clock: Pick<Clock, 'now' | 'after'>
}

/**
 * Sends webhooks over connections that are kept open. A host is resolved once per connection, the addresses are looked at, and the
 * connection goes to just those: a name that means another address a moment later is of no use to anyone. No redirect is followed.
 */
export function createWebhookSender(options: WebhookSenderOptions): WebhookSender {
  const { mayReach, ownPorts, clock, tryMs = WEBHOOK_BOUNDS.tryTime.most, resolve = resolveHost } = options
  // Requests are bounded by who sends them: bounded here too, an endpoint that stalls would hold up others on the same host.
  const pool = { keepAlive: true, maxFreeSockets: WEBHOOK_BOUNDS.sendingToEndpoint.most, timeout: IDLE_MS_MAX }
  const agents = { http: new HttpAgent(pool), https: new HttpsAgent(pool) }

  function open(url: URL, headers: WantedSend['headers'], lookup: LookupFunction): ClientRequest {
    const own = { method: 'POST', headers: { ...headers, 'user-agent': 'Tollgate' }, lookup }
    return url.protocol === 'https:' ? httpsRequest(url, { ...own, agent: agents.https }) : httpRequest(url, { ...own, agent: agents.http })
  }

  function send({ url: text, headers, body }: WantedSend): Promise<SendResult> {
    const url = new URL(text)
    const host = hostOf(url.hostname)
    const port = Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port)
    const problemOf = (address: string) => {
      if (!mayReach(address)) return `${address} is not a public address`
      return ownPorts.includes(port) && isOwnAddress(address) ? `${address} port ${port} is Tollgate itself` : null
    }
    const problem = isIP(host) === 0 ? null : problemOf(host)
    // The connection of an address that stands in the URL itself asks for no look-up.
    if (problem !== null) return Promise.resolve(failed(problem))
    return new Promise((settle) => {
      const lookup = guardedLookup(resolve, problemOf)
      const request = open(url, { ...headers, 'content-length': String(Buffer.byteLength(body)) }, lookup)
      const cancel = clock.after(tryMs, () => request.destroy(new Error(`no whole answer within ${tryMs} ms`)))
      const end = (result: SendResult) => {
        cancel()
        settle(result)
      }
      request.on('error', (error) => end(failed(error.message)))
      request.on('response', (response) => {
        readAnswer(response).then(
          (answer) =>
            end({
              status: response.statusCode ?? null,
              answer,
              retryAfterMs: retryAfterOf(response, clock.now()),
              error: null,
            }),
          (error: Error) => end({ ...failed(error.message), status: null }),
        )
      })
      request.end(body)
    })
  }

  return {
    send,
    stop() {
      agents.http.destroy()
      agents.https.destroy()
    },
  }
}

const IDLE_MS_MAX = 30_000

function failed(error: string): SendResult {
  return { status: null, answer: null, retryAfterMs: null, error: error.slice(0, ERROR_CHARACTERS_MAX) }
}

const ERROR_CHARACTERS_MAX = 300

/** Answers addresses that may be reached, and an error when one of a name's addresses may not. */
function guardedLookup(resolve: typeof resolveHost, problemOf: (address: string) => string | null): LookupFunction {
  return (hostname, { all: wantsAll, family, hints }, callback) => {
    resolve(hostname, { all: true, family: family ?? 0, ...(hints !== undefined && { hints }) }, (error, found) => {
      if (error !== null) return callback(error, '', 0)
      const addresses: readonly LookupAddress[] = found
      const [first] = addresses
      const problem = addresses.map(({ address }) => problemOf(address)).find((each) => each !== null)
      if (typeof problem === 'string') return callback(new Error(`${hostname} leads to where nothing is sent: ${problem}`), '', 0)
      if (first === undefined) return callback(new Error(`${hostname} has no address`), '', 0)
      return wantsAll === true ? callback(null, [...addresses]) : callback(null, first.address, first.family)
    })
  }
}

/** Up to the bound; a longer answer ends its connection there. */
function readAnswer(response: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let bytes = 0
    const text = () => Buffer.concat(parts).subarray(0, WEBHOOK_BOUNDS.answer.most).toString('utf8').replaceAll('\0', '')
    response.on('data', (part: Buffer) => {
      parts.push(part)
      bytes += part.length
      if (bytes <= WEBHOOK_BOUNDS.answer.most) return
      resolve(text())
      response.destroy()
    })
    response.on('end', () => resolve(text()))
    response.on('error', reject)
    response.on('close', () => reject(new Error('the connection was closed within the answer')))
  })
}

/** In seconds, or as a date. */
function retryAfterOf({ headers }: IncomingMessage, nowMs: number): number | null {
  const text = headers['retry-after']
  if (text === undefined) return null
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000
  const atMs = Date.parse(text)
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs)
}

/** Of any interface of this machine, the loopback ones among them. */
function isOwnAddress(address: string): boolean {
  return isLoopback(address) || Object.values(networkInterfaces()).some((all = []) => all.some((own) => own.address === address))
}

const isLoopback = addressMatcher(['127.0.0.0/8', '0.0.0.0/32', '::1', '::'])
