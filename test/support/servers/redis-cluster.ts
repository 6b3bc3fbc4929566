import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import { findCommand, freePort } from '../../../deploy/dev/server-process.ts'
import { spawnOwned } from './owned-process.ts'
import { waitFor } from './tollgate-process.ts'

export type RedisClusterForTest = { readonly url: string; readonly urls: readonly string[]; discard(): Promise<void> }

const SLOTS = 16_384
const READY_WITHIN_MS = 30_000

/** Redis Cluster of two primaries, each with half of the slots; null where there is no Redis to start. */
export async function startRedisCluster(): Promise<RedisClusterForTest | null> {
  const command = await findCommand('redis-server', 'valkey-server')
  if (command === undefined) return null
  const dir = await mkdtemp(join(tmpdir(), 'tollgate-redis-cluster-'))
  const ports = [await freePort(), await freePort()]
  const busPorts = [await freePort(), await freePort()]
  const nodes = await Promise.all(ports.map((port, index) => startNode(command, dir, port, busPorts[index] ?? 0)))
  const urls = ports.map((port) => `redis://127.0.0.1:${port}`)
  const [first = '', second = ''] = urls
  await ask(first, ['CLUSTER', 'ADDSLOTSRANGE', '0', String(SLOTS / 2 - 1)])
  await ask(second, ['CLUSTER', 'ADDSLOTSRANGE', String(SLOTS / 2), String(SLOTS - 1)])
  await ask(first, ['CLUSTER', 'MEET', '127.0.0.1', String(ports[1]), String(busPorts[1])])
  await waitFor(async () => {
    const states = await Promise.all(urls.map((url) => ask(url, ['CLUSTER', 'INFO'])))
    return states.every((state) => String(state).includes('cluster_state:ok') && String(state).includes('cluster_known_nodes:2'))
  }, READY_WITHIN_MS)
  return {
    url: first,
    urls,
    async discard() {
      for (const node of nodes) node.kill('SIGTERM')
      await rm(dir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** The bus gets its own port: the default, this port + 10000, may be beyond the last one. */
async function startNode(command: string, dir: string, port: number, busPort: number): Promise<ChildProcess> {
  const settings = {
    port,
    'cluster-port': busPort,
    bind: '127.0.0.1',
    'cluster-enabled': 'yes',
    'cluster-config-file': `${port}.conf`,
    save: '',
    dir,
  }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  const node = spawnOwned(command, args)
  await waitFor(async () => (await ask(`redis://127.0.0.1:${port}`, ['PING']).catch(() => null)) === 'PONG', READY_WITHIN_MS)
  return node
}

async function ask(url: string, words: string[]): Promise<unknown> {
  const client = createClient({ url, socket: { reconnectStrategy: false } })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await client.sendCommand(words)
  } finally {
    client.destroy()
  }
}
