import { CommandFailed } from '../../process/command-failed.ts'
import { commandConfig } from '../../settings/command-config.ts'

export type ServerFlags = { readonly url?: string; readonly key?: string }

/** A server that bills, asked with the key of whoever runs the command. */
export type BillClient = {
  /** The answer's JSON; an answer that refuses ends the command with its text. */
  ask<Answer>(method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<Answer>
  /** The answer as it comes. */
  stream(method: 'GET' | 'POST', path: string, body?: unknown): Promise<ReadableStream<Uint8Array>>
}

export function createBillClient({ url, key }: ServerFlags): BillClient {
  const config = commandConfig({ TOLLGATE_URL: url, TOLLGATE_KEY: key })
  const secret = config.clientKey ?? config.adminKey
  if (secret === null) throw new CommandFailed('A key is needed: --key, TOLLGATE_KEY or TOLLGATE_ADMIN_KEY.', 2)
  const base = config.clientUrl ?? `http://${config.host === '0.0.0.0' ? '127.0.0.1' : config.host}:${config.port}`
  const call = async (method: string, path: string, body: unknown): Promise<Response> => {
    const init: RequestInit = { method, headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' } }
    if (body !== undefined) init.body = JSON.stringify(body)
    const answer = await fetch(`${base}${path}`, init).catch((error: Error) => {
      throw new CommandFailed(`${base} cannot be reached: ${error.message}`)
    })
    if (answer.ok) return answer
    throw new CommandFailed(`${method} ${path} was answered ${answer.status}: ${(await answer.text()).slice(0, TEXT_SHOWN_MAX)}`)
  }
  return {
    ask: async <Answer>(method: string, path: string, body?: unknown) => (await (await call(method, path, body)).json()) as Answer,
    async stream(method, path, body) {
      const { body: stream } = await call(method, path, body)
      if (stream === null) throw new CommandFailed(`${method} ${path} was answered without a body.`)
      return stream
    },
  }
}

const TEXT_SHOWN_MAX = 500
