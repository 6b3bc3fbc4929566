import { createClient } from '@redis/client'
import type { Clock } from '../../../base/clock.ts'
import { LATE, within } from '../../../base/deadline.ts'
import type { RedisScript } from './redis-scripts.ts'

/** One connection to one run of one server: when the server ends, the connection does. */
export type RedisConnection = {
  /** The server's run id, which is new each time that it starts. */
  readonly run: string
  readonly facts: RedisFacts
  send(command: readonly string[]): Promise<unknown>
  evaluate(script: RedisScript, keys: readonly string[], args: readonly string[]): Promise<unknown>
  isOpen(): boolean
  close(): void
}

/** Facts that the server reports about itself. */
export type RedisFacts = {
  readonly product: string
  readonly isCluster: boolean
  readonly isAppending: boolean
  readonly evictionPolicy: string
}

const CONNECT_MS_MAX = 3_000
/** Our longest script takes milliseconds, so a longer wait means a server that hangs. */
const ANSWER_MS_MAX = 5_000

/** Never reconnects by itself: commands meant for one run of the server must not reach another. Rejects with the plain error. */
export async function connectToRedis(url: URL, clock: Clock): Promise<RedisConnection> {
  const client = createClient({
    url: url.href,
    maintNotifications: 'disabled',
    disableOfflineQueue: true,
    // Our own time-out is below. The client's makes a signal for each command, which fires even when the answer has come: 6.7 µs a command, not 2.1.
    commandOptions: { timeout: 0 },
    socket: { connectTimeout: CONNECT_MS_MAX, reconnectStrategy: false, noDelay: true },
  })
  // Callers who wait for an answer get the error; nobody else needs it.
  client.on('error', () => undefined)
  const close = () => {
    if (client.isOpen) client.destroy()
  }

  /** A server that hangs keeps its connections open, so only the clock can tell. */
  async function inTime<Answer>(asked: Promise<Answer>): Promise<Answer> {
    const answer = await within(clock, ANSWER_MS_MAX, asked)
    if (answer !== LATE) return answer
    close()
    throw new Error(`it did not answer within ${ANSWER_MS_MAX} ms`)
  }

  const send = (command: readonly string[]) => inTime(client.sendCommand([...command]))

  try {
    await inTime(client.connect())
    const info = String(await send(['INFO']))
    return {
      run: field(info, 'run_id'),
      facts: factsOf(info),
      send,
      async evaluate(script, keys, args) {
        const rest = [String(keys.length), ...keys, ...args]
        try {
          return await send(['EVALSHA', script.sha, ...rest])
        } catch (error) {
          if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
          return send(['EVAL', script.text, ...rest])
        }
      },
      isOpen: () => client.isReady,
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

function factsOf(info: string): RedisFacts {
  const valkey = field(info, 'valkey_version')
  return {
    product: valkey === '' ? `Redis ${field(info, 'redis_version')}` : `Valkey ${valkey}`,
    isCluster: field(info, 'redis_mode') === 'cluster',
    isAppending: field(info, 'aof_enabled') === '1',
    evictionPolicy: field(info, 'maxmemory_policy'),
  }
}

function field(info: string, name: string): string {
  const line = info.split('\n').find((each) => each.startsWith(`${name}:`))
  return line?.slice(name.length + 1).trim() ?? ''
}
