import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DevServer, type DevServerName, discardDevServers, startDevServers } from '../deploy/dev/servers.ts'
import type { ProcessesBeside } from './ingest-leg.ts'

/** Development servers for one part alone, so that no other load counts as theirs; they end with this process, however it ends. */
export async function withDevServers<Name extends DevServerName, Result>(
  names: readonly Name[],
  work: (servers: Readonly<Record<Name, DevServer>>) => Promise<Result>,
): Promise<Result> {
  const dir = await mkdtemp(join(tmpdir(), 'tollgate-bench-servers-'))
  try {
    const { servers, missing } = await startDevServers({ dir, names, ownerPid: process.pid })
    const reasons = Object.entries(missing).map(([name, reason]) => `${name}: ${reason}`)
    if (reasons.length > 0) throw new Error(`not measured: ${reasons.join('; ')}`)
    return await work(servers as Readonly<Record<Name, DevServer>>)
  } finally {
    await discardDevServers(dir)
  }
}

export function serversBeside(servers: readonly DevServer[]): ProcessesBeside {
  return Object.fromEntries(servers.map(({ version, processes }) => [version, processes.map(({ pid }) => pid)]))
}

/** The settings that put the seams on these servers. */
export function serverSettings(servers: Partial<Readonly<Record<DevServerName, DevServer>>>): Record<string, string> {
  return {
    ...(servers.kafka === undefined ? {} : { KAFKA_BROKERS: servers.kafka.url, KAFKA_TOPIC: 'bench', KAFKA_REPLICATION: '1' }),
    ...(servers.postgres === undefined ? {} : { DATABASE_URL: servers.postgres.url }),
    ...(servers.redis === undefined ? {} : { REDIS_URL: servers.redis.url }),
  }
}
