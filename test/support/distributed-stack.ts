import { randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { type ClickHouseFront, startClickHouseFront } from './clickhouse-front.ts'
import { type DevServerForTest, devServerForTest } from './dev-servers.ts'
import { removeDirectory, startTollgate, type TollgateProcess, temporaryDirectory } from './tollgate-process.ts'

/** Real servers for all four seams, and processes of ours on them, each with the roles that it is given. */
export type DistributedStack = {
  /** What every process on this stack has in its environment. */
  readonly env: Readonly<Record<string, string>>
  readonly clickhouse: ClickHouseFront
  start(role: 'ingest' | 'aggregator' | 'api'): Promise<TollgateProcess>
  discard(): Promise<void>
}

/** Null and the reason where a server cannot be had. Each stack has a topic, a database and keys of its own on shared servers. */
export async function openDistributedStack(
  options: { readonly isOwn?: boolean; readonly partitions?: number } = {},
): Promise<{ readonly stack: DistributedStack; readonly missing: null } | { readonly stack: null; readonly missing: string }> {
  const own = options.isOwn === true ? { isOwn: true } : {}
  const servers: DevServerForTest[] = []
  for (const name of ['kafka', 'postgres', 'redis'] as const) servers.push(await devServerForTest(name, own))
  const discardServers = async () => {
    for (const server of servers) await server.discard()
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
    KAFKA_REPLICATION: '1',
    DATABASE_URL: databaseUrl.href,
    REDIS_URL: redis.url,
    REDIS_KEY_PREFIX: name,
    CLICKHOUSE_URL: clickhouse.url(name),
    TOLLGATE_PARTITIONS: String(options.partitions ?? 4),
  }
  const started: TollgateProcess[] = []
  return {
    missing: null,
    stack: {
      env,
      clickhouse,
      async start(role) {
        const process = await startTollgate({ dataDir: await temporaryDirectory(), env, args: ['--roles', role] })
        started.push(process)
        return process
      },
      async discard() {
        await Promise.all(
          started.map(async (process) => {
            await process.kill()
            await removeDirectory(process.dataDir)
          }),
        )
        await clickhouse.discard()
        await administer(postgres.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
        await discardServers()
      },
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
