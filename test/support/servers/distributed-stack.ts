import { randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { startDevServers, stopDevServers } from '../../../deploy/dev/servers.ts'
import { type ClickHouseFront, startClickHouseFront } from './clickhouse-front.ts'
import { type DevServerForTest, devServerForTest } from './dev-servers.ts'
import { removeDirectory, startTollgate, type TollgateProcess, temporaryDirectory } from './tollgate-process.ts'

/** Real servers for all four seams, and processes of ours on them, each with given roles. */
export type DistributedStack = {
  /** Environment of every process on this stack. */
  readonly env: Readonly<Record<string, string>>
  readonly clickhouse: ClickHouseFront
  /** The servers of a stack that has its own, so that no other test depends on them. */
  readonly servers: DistributedServers
  start(role: StackRole): Promise<TollgateProcess>
  discard(): Promise<void>
}

export type StackRole = 'ingest' | 'aggregator' | 'api'

/** As in the manifests of deploy/: the api and the billing stage share a process. */
export function rolesOf(role: StackRole): string {
  return role === 'api' ? 'api,billing,alerts' : role
}

/** The stack has ClickHouse by itself, as `clickhouse`. */
const STACK_SERVER_NAMES = ['kafka', 'postgres', 'redis'] as const
type StackServerName = (typeof STACK_SERVER_NAMES)[number]

export type DistributedServers = {
  readonly urls: Readonly<Record<StackServerName, string>>
  /** SIGKILL; of several processes the one at `index`. Its data stay. */
  kill(name: StackServerName, index?: number): void
  /** Stops all its processes as an operator does. */
  stop(name: StackServerName): Promise<void>
  /** Starts its processes that do not run, on their ports and data. */
  start(name: StackServerName): Promise<void>
}

/** Kafka, PostgreSQL and Redis, in this order. */
export async function openDevServers(options: { readonly isOwn?: boolean; readonly brokers?: number } = {}): Promise<DevServerForTest[]> {
  const servers: DevServerForTest[] = []
  for (const name of STACK_SERVER_NAMES) servers.push(await devServerForTest(name, options))
  return servers
}

/** Null and the reason where a server is not available. Each stack has its own topic, database and keys on shared servers. */
export async function openDistributedStack(
  options: {
    readonly isOwn?: boolean
    readonly partitions?: number
    readonly brokers?: 1 | 3
    readonly env?: Readonly<Record<string, string>>
    /** Servers that outlive the stack, instead of servers that it finds or starts itself. */
    readonly on?: readonly DevServerForTest[]
  } = {},
): Promise<{ readonly stack: DistributedStack; readonly missing: null } | { readonly stack: null; readonly missing: string }> {
  const { isOwn = false, brokers = 1 } = options
  const servers = options.on ?? (await openDevServers({ isOwn, brokers }))
  const discardServers = async () => {
    if (options.on === undefined) for (const server of servers) await server.discard()
  }
  const [kafka, postgres, redis] = servers.map(({ server }) => server)
  if (!kafka || !postgres || !redis) {
    await discardServers()
    return { stack: null, missing: servers.flatMap(({ missing }) => missing ?? []).join('; ') }
  }
  const name = `stack_${randomUUID().replaceAll('-', '')}`
  await administer(postgres.url, `CREATE DATABASE ${name}`)
  const clickhouse = await startClickHouseFront()
  const databaseUrl = new URL(postgres.url)
  databaseUrl.pathname = `/${name}`
  const env = {
    KAFKA_BROKERS: kafka.url,
    KAFKA_TOPIC: name,
    KAFKA_REPLICATION: String(brokers),
    DATABASE_URL: databaseUrl.href,
    REDIS_URL: redis.url,
    REDIS_KEY_PREFIX: name,
    CLICKHOUSE_URL: clickhouse.url(name),
    TOLLGATE_PARTITIONS: String(options.partitions ?? 4),
    ...options.env,
  }
  /** Includes those that are not ready yet: a test that fails while they start must not leave them behind. */
  const started: Promise<TollgateProcess>[] = []
  return {
    missing: null,
    stack: {
      env,
      clickhouse,
      servers: serversOf({ kafka: servers[0], postgres: servers[1], redis: servers[2] }, isOwn),
      async start(role) {
        const starting = temporaryDirectory().then((dataDir) => startTollgate({ dataDir, env, args: ['--roles', rolesOf(role)] }))
        started.push(starting)
        return await starting
      },
      async discard() {
        await Promise.all(
          started.map(async (starting) => {
            const process = await starting.catch(() => null)
            await process?.kill()
            if (process !== null) await removeDirectory(process.dataDir)
          }),
        )
        await clickhouse.discard()
        if (!isOwn) await administer(postgres.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
        await discardServers()
      },
    },
  }
}

function serversOf(servers: Readonly<Record<StackServerName, DevServerForTest | undefined>>, isOwn: boolean): DistributedServers {
  const own = (name: StackServerName) => {
    const found = servers[name]
    if (!isOwn || !found || found.server === null) throw new Error(`this stack has no ${name} of its own`)
    return found
  }
  const urlOf = (name: StackServerName) => servers[name]?.server?.url ?? ''
  /** Known since the last start; the first processes come with the server. */
  const running = new Map(STACK_SERVER_NAMES.map((name) => [name, servers[name]?.server?.processes ?? []]))
  return {
    urls: { kafka: urlOf('kafka'), postgres: urlOf('postgres'), redis: urlOf('redis') },
    kill(name, index = 0) {
      own(name)
      const victim = running.get(name)?.[index]
      if (victim === undefined) throw new Error(`${name} has no process ${index}`)
      process.kill(victim.pid, 'SIGKILL')
    },
    stop: (name) => stopDevServers({ dir: own(name).dir, names: [name] }),
    async start(name) {
      const { servers: started, missing } = await startDevServers({ dir: own(name).dir, names: [name] })
      if (missing[name] !== undefined) throw new Error(missing[name])
      running.set(name, started[name]?.processes ?? [])
    },
  }
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
