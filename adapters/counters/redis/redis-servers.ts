import type { Logger } from 'pino'
import type { Clock } from '../../../base/clock.ts'
import { Fault } from '../../../base/fault.ts'
import { clusterSlotOf, readSlotRanges, type SlotRange } from './redis-cluster-slots.ts'
import { connectToRedis, type RedisConnection } from './redis-connection.ts'
import { redisFault } from './redis-fault.ts'
import type { RedisScript } from './redis-scripts.ts'

/** One server, or the nodes of a cluster, each reached by one connection that is renewed when it breaks. */
export type RedisServers = {
  /** Address for messages, without the password. */
  readonly address: string
  /** Runs the script where the first key is. `argsFor` is given the run of that very server. Rejects with `counters_unavailable`. */
  run(script: RedisScript, keys: readonly string[], argsFor: (run: string) => readonly string[]): Promise<unknown>
  /** Sends a command on one key, which is its second word. */
  send(command: readonly [string, string, ...string[]]): Promise<unknown>
  /** How many replicas have what this process wrote where the key is, once `replicas` have it or `waitMs` is over. */
  waitForReplicas(key: string, replicas: number, waitMs: number): Promise<number>
  /** Any server, for questions about no key. */
  any(): Promise<RedisConnection>
  stop(): void
}

const MOVES_MAX = 3
/** While a server is away callers are answered at once, and it is tried again only at this interval. */
const RECONNECT_INTERVAL_MS = 100

export function createRedisServers(options: { readonly url: URL; readonly clock: Clock; readonly log: Logger }): RedisServers {
  const { url, clock, log } = options
  const address = addressOf(url)
  const connections = new Map<string, { readonly opened: Promise<RedisConnection>; open: RedisConnection | null }>()
  let ranges: readonly SlotRange[] | null = null
  let isStopped = false

  function connectionTo(host: string): Promise<RedisConnection> {
    if (isStopped) return Promise.reject(stopped(address))
    const known = connections.get(host)
    if (known !== undefined && (known.open === null || known.open.isOpen())) return known.opened
    const target = new URL(url)
    target.host = host
    const entry: { opened: Promise<RedisConnection>; open: RedisConnection | null } = { opened: connectToRedis(target, clock), open: null }
    connections.set(host, entry)
    entry.opened.then(
      (connection) => {
        entry.open = connection
        if (isStopped) connection.close()
        else log.info({ host, product: connection.facts.product, run: connection.run }, 'connected to redis')
      },
      () =>
        clock.after(RECONNECT_INTERVAL_MS, () => {
          if (connections.get(host) === entry) connections.delete(host)
        }),
    )
    return entry.opened
  }

  /** In a cluster any node that is up can name the others. */
  async function seed(): Promise<RedisConnection> {
    const hosts = new Set([url.host, ...connections.keys()])
    let failure: unknown
    for (const host of hosts) {
      try {
        return await connectionTo(host)
      } catch (error) {
        failure ??= error
      }
    }
    throw failure
  }

  async function connectionFor(key: string): Promise<RedisConnection> {
    if (ranges === null) {
      const connection = await seed()
      if (!connection.facts.isCluster) return connection
      ranges = readSlotRanges(await connection.send(['CLUSTER', 'SLOTS']), url.host)
    }
    const slot = clusterSlotOf(key)
    const host = ranges.find(({ first, last }) => slot >= first && slot <= last)?.host
    return host === undefined ? seed() : connectionTo(host)
  }

  async function routed<Answer>(key: string, ask: (connection: RedisConnection) => Promise<Answer>): Promise<Answer> {
    try {
      for (let moves = 0; ; moves++) {
        try {
          return await ask(await connectionFor(key))
        } catch (error) {
          const isMoved = error instanceof Error && error.message.startsWith('MOVED')
          // The node is gone: its slots may belong to another by now.
          ranges = null
          if (!isMoved || moves >= MOVES_MAX) throw error
        }
      }
    } catch (error) {
      throw redisFault(address, error)
    }
  }

  return {
    address,
    run: (script, keys, argsFor) => routed(keys[0] ?? '', (connection) => connection.evaluate(script, keys, argsFor(connection.run))),
    send: (command) => routed(command[1], (connection) => connection.send(command)),
    waitForReplicas: async (key, replicas, waitMs) =>
      Number(await routed(key, (connection) => connection.send(['WAIT', String(replicas), String(waitMs)]))),
    any: () => routed('', (connection) => Promise.resolve(connection)),
    stop() {
      isStopped = true
      for (const { open } of connections.values()) open?.close()
    },
  }
}

/** The address as a person would write it, without user and password. */
export function addressOf(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}`
}

function stopped(address: string): Fault {
  return new Fault('counters_unavailable', `The counters on Redis (${address}) are being closed by this process.`, {
    canRetry: true,
    publicText: 'This server is stopping; try again.',
  })
}
