import { sql } from 'kysely'
import { Client } from 'pg'
import type { Logger } from 'pino'
import { backoffMs } from '../../../base/backoff.ts'
import type { Clock } from '../../../base/clock.ts'
import type { InstantMs } from '../../../domain/identity.ts'
import type { Change } from '../changes.ts'
import type { ChangeListeners } from './change-listeners.ts'
import type { AnnounceToOthers } from './kysely-session.ts'

const CHANNEL = 'tollgate_catalog'
/** A notification holds at most 8,000 bytes; a change has two keys of up to 128 characters. */
const CHANGES_PER_NOTIFICATION = 20
const RECONNECT = { firstMs: 250, mostMs: 5_000 }
/** How often a notification to ourselves checks that we still hear. One without an answer for this long means a dead connection. */
const HEARTBEAT_INTERVAL_MS = 1_000
const HEARTBEAT_WAIT_MAX_MS = 5_000

type Notification = { readonly from: string; readonly changes: readonly Change[] }

/** NOTIFY in the transaction of the change: PostgreSQL sends it at commit and not at all when that fails. */
export function announceToChannel(processId: string): AnnounceToOthers {
  return async (trx, changes) => {
    for (let start = 0; start < changes.length; start += CHANGES_PER_NOTIFICATION) {
      const notification: Notification = { from: processId, changes: changes.slice(start, start + CHANGES_PER_NOTIFICATION) }
      await sql`SELECT pg_notify(${CHANNEL}, ${JSON.stringify(notification)})`.execute(trx)
    }
  }
}

export type ChannelListener = {
  /** Everything announced up to this instant was heard. */
  heardUpToMs(): InstantMs
  stop(): Promise<void>
}

/**
 * Hears the changes that other processes announce, on its own connection. A lost connection is reopened for as long as it takes;
 * announcements during that time are lost, so all listeners are told that they may have missed some.
 */
export async function listenToChannel(options: {
  readonly url: string
  readonly processId: string
  readonly clock: Clock
  readonly log: Logger
  readonly connectTimeoutMs: number
  readonly listeners: Pick<ChangeListeners, 'tell' | 'tellMissed'>
}): Promise<ChannelListener> {
  const { processId, clock, log, listeners } = options
  const stopped = new AbortController()
  const ownChannel = `${CHANNEL}_${processId}`
  let heardUpToMs = clock.now()
  let client = await connect()
  const stopBeating = clock.every(HEARTBEAT_INTERVAL_MS, beat)

  async function connect(): Promise<Client> {
    const connecting = new Client({
      connectionString: options.url,
      connectionTimeoutMillis: options.connectTimeoutMs,
      keepAlive: true,
      query_timeout: HEARTBEAT_WAIT_MAX_MS,
      application_name: 'tollgate catalog changes',
    })
    connecting.on('notification', ({ channel, payload }) => {
      if (channel === ownChannel) {
        // Notifications come in the order of their commits: every change committed before this one has been delivered.
        heardUpToMs = Number(payload) as InstantMs
        return
      }
      const { from, changes } = JSON.parse(payload ?? '{}') as Notification
      if (from !== processId) listeners.tell(changes)
    })
    connecting.on('error', (error) => log.warn({ err: error }, 'catalog change connection failed'))
    try {
      await connecting.connect()
      await connecting.query(`LISTEN ${CHANNEL}`)
      await connecting.query(`LISTEN "${ownChannel}"`)
    } catch (error) {
      await connecting.end().catch(() => undefined)
      throw error
    }
    connecting.once('end', () => void reconnect())
    return connecting
  }

  async function beat(): Promise<void> {
    const beaten = client
    try {
      await beaten.query('SELECT pg_notify($1, $2)', [ownChannel, String(clock.now())])
    } catch (error) {
      if (stopped.signal.aborted || beaten !== client) return
      log.warn({ err: error, heardUpToMs }, 'catalog change connection gave no answer')
      await beaten.end().catch(() => undefined)
    }
  }

  async function reconnect(): Promise<void> {
    for (let attempts = 1; ; attempts++) {
      const waitMs = backoffMs(RECONNECT, attempts)
      await clock.sleep(waitMs, stopped.signal)
      if (stopped.signal.aborted) return
      try {
        client = await connect()
        const openedAtMs = clock.now()
        log.info('catalog change connection opened again')
        listeners.tellMissed()
        heardUpToMs = openedAtMs
        return
      } catch (error) {
        if (!stopped.signal.aborted) log.warn({ err: error, waitedMs: waitMs }, 'catalog change connection not opened')
      }
    }
  }

  return {
    heardUpToMs: () => heardUpToMs,
    async stop() {
      stopped.abort()
      stopBeating()
      await client.end().catch(() => undefined)
    },
  }
}
