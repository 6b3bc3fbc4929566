import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'

/** One hostile tenant: its key, and an address of its own, as bounds per address are not to be shared with the honest one. */
export type Attacker = {
  readonly name: string
  /** Sends a whole request and reads the answer away; resolves with its code, or the status where it has none. */
  send(method: string, path: string, body?: Buffer | string, headers?: Record<string, string>): Promise<string>
  /** Sends the beginning of a request of events and leaves it open until it is answered, cut off or `holdMs` are over. */
  leaveOpen(body: Buffer, headers: Record<string, string>, holdMs: number): Promise<string>
  /** Opens a connection, writes the bytes and leaves it open. */
  dangle(bytes: string, holdMs: number): Promise<string>
  close(): void
}

export type Target = { readonly port: number; readonly key: string; readonly name: string; readonly localAddress: string }

const SOCKETS_MAX = 64
/** Enough of an answer to find its code in. */
const KEPT_BYTES = 2_000

export function createAttacker({ port, key, name, localAddress }: Target): Attacker {
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX, localAddress })
  const open = new Set<Socket | ClientRequest>()
  const place = { host: '127.0.0.1', port, localAddress }

  function begin(method: string, path: string, headers: Record<string, string>, useAgent: boolean): ClientRequest {
    const sent = request({
      ...place,
      method,
      path,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      agent: useAgent ? agent : false,
    })
    open.add(sent)
    sent.once('close', () => open.delete(sent))
    return sent
  }

  function answerTo(sent: ClientRequest): Promise<string> {
    return new Promise((resolve) => {
      let isAnswered = false
      sent.once('response', (response) => {
        isAnswered = true
        void codeOf(response).then(resolve)
      })
      sent.once('error', (error: NodeJS.ErrnoException) => (isAnswered ? undefined : resolve(error.code ?? 'cut off')))
      sent.once('close', () => (isAnswered ? undefined : resolve('cut off')))
    })
  }

  return {
    name,
    send(method, path, body, headers = {}) {
      const bytes = Buffer.from(body ?? '')
      const sent = begin(method, path, { 'content-length': String(bytes.length), ...headers }, true)
      const answer = answerTo(sent)
      sent.end(bytes)
      return answer
    },
    leaveOpen(body, headers, holdMs) {
      const sent = begin('POST', '/v1/events', headers, false)
      const answer = answerTo(sent)
      sent.write(body)
      const timer = setTimeout(() => sent.destroy(), holdMs)
      return answer.finally(() => clearTimeout(timer))
    },
    dangle(bytes, holdMs) {
      return new Promise((resolve) => {
        const socket = connect(place)
        open.add(socket)
        let text = ''
        const timer = setTimeout(() => socket.destroy(), holdMs)
        socket.on('data', (chunk) => {
          text = (text + chunk).slice(0, KEPT_BYTES)
        })
        socket.on('error', () => undefined)
        socket.once('close', () => {
          clearTimeout(timer)
          open.delete(socket)
          resolve(/"code":"(\w+)"/.exec(text)?.[1] ?? 'left open')
        })
        socket.write(bytes)
      })
    },
    close() {
      agent.destroy()
      for (const each of open) each.destroy()
    },
  }
}

async function codeOf(response: IncomingMessage): Promise<string> {
  let text = ''
  try {
    for await (const chunk of response) if (text.length < KEPT_BYTES) text += chunk
  } catch {
    return 'cut off'
  }
  const isProblem = response.headers['content-type']?.startsWith('application/problem+json') === true
  return (isProblem ? /"code":"(\w+)"/.exec(text)?.[1] : undefined) ?? String(response.statusCode)
}
