import { createClient } from '@redis/client'
import type { Logger } from 'pino'
import type { Partition } from '../../../domain/identity.ts'

export type TrackingChannel = {
  onRequest(listener: (partition: Partition) => void): void
  /** Announces a request of this process to itself, as it may not be listening to the channel yet. */
  announceHere(partition: Partition): void
  stop(): Promise<void>
}

const RECONNECT_MS_MAX = 2_000

/**
 * Hears that a request was placed, by any process. A missed announcement costs a moment only, as requests are also taken at
 * intervals; so this connection may reconnect by itself.
 */
export function listenToTrackingRequests({ url, channel, log }: { url: URL; channel: string; log: Logger }): TrackingChannel {
  const listeners: ((partition: Partition) => void)[] = []
  const client = createClient({
    url: url.href,
    maintNotifications: 'disabled',
    socket: { reconnectStrategy: (retries) => Math.min(RECONNECT_MS_MAX, 50 * 2 ** Math.min(retries, 10)), noDelay: true },
  })
  let isStopped = false
  client.on('error', (error: unknown) => log.debug({ err: error }, 'announcements of tracking requests are not heard'))

  async function listen(): Promise<void> {
    await client.connect()
    await client.subscribe(channel, (message) => {
      for (const listener of listeners) listener(Number(message) as Partition)
    })
  }

  return {
    onRequest(listener) {
      listeners.push(listener)
      if (listeners.length > 1) return
      listen().catch((error: unknown) => {
        if (!isStopped) log.warn({ err: error }, 'announcements of tracking requests are not heard: requests are taken at intervals only')
      })
    },
    announceHere(partition) {
      for (const listener of listeners) listener(partition)
    },
    async stop() {
      isStopped = true
      if (client.isOpen) client.destroy()
    },
  }
}
