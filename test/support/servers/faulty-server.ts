import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

export type Received = {
  readonly method: string
  readonly path: string
  readonly authorization: string
  readonly sentAt: string
  readonly body: string
}

/** What happens to the next request. `stall`: no answer ever; `reset`: the connection breaks after the request was read. */
export type Behaviour = 'stall' | 'reset' | { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> }

/** A server that misbehaves on command, to see how clients react. */
export type FaultyServer = {
  readonly url: string
  readonly received: readonly Received[]
  /** The events of all requests that were answered 2xx, in order of receipt. */
  readonly kept: readonly { readonly id: string; readonly [attribute: string]: unknown }[]
  /** Sets the behaviour of the next requests, one each; the requests after them are answered normally. */
  behave(...next: readonly Behaviour[]): void
  /** For every request from now on; null ends it. */
  behaveAlways(behaviour: Behaviour | null): void
  /** Resolves with the nth request (from 1) once it is there. */
  request(nth: number): Promise<Received>
  stop(): Promise<void>
}

export async function startFaultyServer(): Promise<FaultyServer> {
  const received: Received[] = []
  const kept: { id: string }[] = []
  const waiting: (() => void)[] = []
  let plan: Behaviour[] = []
  let always: Behaviour | null = null

  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      received.push({
        method: request.method ?? '',
        path: request.url ?? '',
        authorization: request.headers.authorization ?? '',
        sentAt: String(request.headers['tollgate-sent-at']),
        body,
      })
      const behaviour = plan.shift() ?? always ?? WELL
      if (behaviour === 'reset') request.socket.resetAndDestroy()
      else if (behaviour !== 'stall') {
        if (behaviour.status < 300 && request.url === '/v1/events') kept.push(...acceptedOf(body, behaviour))
        answer(response, request, behaviour, body)
      }
      for (const check of waiting.splice(0)) check()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    received,
    kept,
    behave(...next) {
      plan = [...plan, ...next]
    },
    behaveAlways(behaviour) {
      always = behaviour
    },
    async request(nth) {
      for (;;) {
        const found = received[nth - 1]
        if (found) return found
        await new Promise<void>((resolve) => waiting.push(resolve))
      }
    },
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const WELL: Exclude<Behaviour, string> = { status: 200 }

function answer(response: ServerResponse, { url = '' }: IncomingMessage, behaviour: Exclude<Behaviour, string>, body: string): void {
  const { status, headers } = behaviour
  const isEvents = url === '/v1/events'
  const usual = isEvents ? { accepted: (JSON.parse(body) as unknown[]).length, rejected: [] } : ANSWERS[url]?.(JSON.parse(body))
  response.writeHead(isEvents && status === 200 ? 202 : status, { 'content-type': 'application/json', ...headers })
  const told = behaviour.body ?? (status < 300 ? usual : undefined) ?? {}
  response.end(typeof told === 'string' ? told : JSON.stringify(told))
}

const ANSWERS: Readonly<Record<string, (request: { id?: string; quantity?: string }) => unknown>> = {
  '/v1/decisions': () => ({ allowed: true, code: 'within_limit', balance: {} }),
  '/v1/reservations': ({ id, quantity }) => ({ id, status: 'held', quantity, expiresAt: '2030-01-01T00:00:00.000Z', balance: {} }),
}

function acceptedOf(body: string, { body: answerBody }: Exclude<Behaviour, string>): { id: string }[] {
  const rejected = (answerBody as { rejected?: { index: number }[] } | undefined)?.rejected ?? []
  const refused = new Set(rejected.map(({ index }) => index))
  return (JSON.parse(body) as { id: string }[]).filter((_, index) => !refused.has(index))
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return address.port
}
