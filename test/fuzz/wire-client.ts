import { connect, type Socket } from 'node:net'
import { type AnswerReader, createAnswerReader, type WireAnswer } from './answer-reader.ts'

export type Exchange = {
  /** Written one after the other. */
  readonly bytes: readonly Buffer[]
  /** One for each answer that is waited for. */
  readonly isHead: readonly boolean[]
  /**
   * `kept`: on a connection that served others; the rest each on their own. `closed`: its sending half is closed after the bytes.
   * `cut`: reset at once.
   */
  readonly connection: 'kept' | 'own' | 'closed' | 'cut'
}
/** Whether the server closed. */
export type ExchangeResult = { readonly answers: readonly WireAnswer[]; readonly isClosed: boolean; readonly restBytes: number }

export type WireClient = {
  exchange(exchange: Exchange): Promise<ExchangeResult>
  close(): void
}

const ANSWER_WAIT_MS_MAX = 90_000

/** One connection at a time to the server, taken up again when the server closed it. */
export function createWireClient(port: number): WireClient {
  let kept: Socket | null = null

  return {
    async exchange(exchange) {
      if (exchange.connection !== 'kept') {
        const socket = await open(port)
        return await talk(socket, exchange).finally(() => socket.destroy())
      }
      const isReused = kept !== null && !kept.destroyed && kept.writable
      const socket = isReused && kept !== null ? kept : await open(port)
      kept = null
      const result = await talk(socket, exchange)
      if (!result.isClosed) kept = socket
      // A server may close an idle connection just as we send on it.
      if (result.isClosed && result.answers.length === 0 && isReused) return await this.exchange(exchange)
      return result
    },
    close: () => kept?.destroy(),
  }
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

function talk(socket: Socket, { bytes, isHead, connection }: Exchange): Promise<ExchangeResult> {
  const reader = createAnswerReader((place) => isHead[place] ?? false)
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => done(null, new Error(`no answer within ${ANSWER_WAIT_MS_MAX} ms`)), ANSWER_WAIT_MS_MAX)
    function done(isClosed: boolean | null, error?: Error): void {
      clearTimeout(timer)
      socket.removeAllListeners()
      // A socket that nobody listens to any more must not end the process.
      socket.on('error', ignore)
      if (isClosed !== false) socket.destroy()
      if (error === undefined) resolve({ answers: [...reader.answers], isClosed: isClosed ?? true, restBytes: reader.rest() })
      else reject(error)
    }
    socket.on('data', (chunk) => read(reader, () => reader.push(chunk)))
    socket.on('end', () => read(reader, () => reader.end(), true))
    socket.on('close', () => done(true))
    socket.on('error', () => done(true))
    function read(from: AnswerReader, take: () => void, isEnd = false): void {
      try {
        take()
      } catch (error) {
        done(null, error as Error)
        return
      }
      const last = from.answers.at(-1)
      const isLast = last?.headers.get('connection')?.toLowerCase() === 'close'
      if (isEnd) done(true)
      else if ((connection === 'kept' || connection === 'own') && from.answers.length >= isHead.length) done(isLast)
    }
    for (const part of bytes) socket.write(part)
    if (connection === 'closed') socket.end()
    if (connection === 'cut') {
      socket.resetAndDestroy()
      done(true)
    }
  })
}

function ignore(): void {}
