import { Agent, request } from 'node:http'
import type { TollgateProcess } from './servers/tollgate-process.ts'

export type ConnectionsAnswer = { readonly status: number; readonly body: Record<string, unknown> }

/** Connections that stay open, for more requests than `fetch` is quick enough for. */
export type HttpConnections = {
  post(path: string, body: object): Promise<ConnectionsAnswer>
  /** Does the work for every item, as many at once as there are connections. */
  forEach<Item>(items: readonly Item[], work: (item: Item, index: number) => Promise<void>): Promise<void>
  close(): void
}

export function openConnections({ url, adminKey }: Pick<TollgateProcess, 'url' | 'adminKey'>, connections: number): HttpConnections {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  return {
    post(path, body) {
      const payload = JSON.stringify(body)
      const headers = {
        authorization: `Bearer ${adminKey}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(payload),
      }
      return new Promise((resolve, reject) => {
        const sent = request(`${url}${path}`, { agent, method: 'POST', headers }, (response) => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => {
            text += chunk
          })
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }))
          response.on('error', reject)
        })
        sent.on('error', reject)
        sent.end(payload)
      })
    },
    async forEach(items, work) {
      let next = 0
      const worker = async () => {
        while (next < items.length) {
          const index = next++
          await work(items[index] as (typeof items)[number], index)
        }
      }
      await Promise.all(Array.from({ length: connections }, worker))
    },
    close: () => agent.destroy(),
  }
}
