import { randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, describe, expect, test } from 'vitest'
import { Fault } from '../../base/fault.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { readConfig } from '../../runtime/settings/config.ts'
import { openStores } from '../../runtime/stores.ts'
import { type ClickHouseFront, startClickHouseFront } from '../support/servers/clickhouse-front.ts'
import { devServerForTest } from '../support/servers/dev-servers.ts'
import { removeDirectory, runTollgate, startTollgate, temporaryDirectory, waitFor } from '../support/servers/tollgate-process.ts'

const kafka = await devServerForTest('kafka')
const postgres = await devServerForTest('postgres')
const redis = await devServerForTest('redis')
const clickhouse: ClickHouseFront = await startClickHouseFront()
afterAll(() => Promise.all([kafka.discard(), postgres.discard(), redis.discard(), clickhouse.discard()]))

const SECRET = 'hunter2-hunter2'
const NOBODY = '127.0.0.1:1'
const clickhouseUrl = clickhouse.url('tollgate')
const [databaseUrl = '', redisUrl = ''] = [postgres.server?.url, redis.server?.url]

const wrongPassword = (url: string) =>
  changed(url, (parsed) => {
    parsed.password = SECRET
  })
const noServer = (url: string) =>
  changed(url, (parsed) => {
    parsed.host = NOBODY
  })

function changed(url: string, change: (url: URL) => void): string {
  if (url === '') return ''
  const parsed = new URL(url)
  change(parsed)
  return parsed.href
}

const KAFKA = { server: kafka, seam: 'event log on Kafka', setting: 'KAFKA_BROKERS' }
const POSTGRES = { server: postgres, seam: 'catalog on PostgreSQL', setting: 'DATABASE_URL' }
const REDIS = { server: redis, seam: 'counters on Redis', setting: 'REDIS_URL' }
const CLICKHOUSE = { server: null, seam: 'usage store at http', setting: 'CLICKHOUSE_URL' }
const sasl = { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USER: 'tollgate', KAFKA_SASL_PASSWORD: SECRET }
const saslUrl = kafka.server?.saslUrl ?? ''
const brokers = kafka.server?.url ?? ''

/** Each URL alone is wrong: the stores opened before it work. */
describe.each([
  { ...KAFKA, wrong: 'no server', env: { KAFKA_BROKERS: NOBODY }, address: NOBODY, next: /Check KAFKA_BROKERS and that the brokers run/ },
  {
    ...KAFKA,
    wrong: 'wrong password',
    env: { KAFKA_BROKERS: saslUrl, ...sasl },
    address: saslUrl,
    next: /Check the SASL mechanism, user and password/,
  },
  {
    ...KAFKA,
    wrong: 'a topic of other partitions',
    env: { KAFKA_BROKERS: brokers, KAFKA_TOPIC: 'wrong-urls' },
    address: brokers,
    next: /Start with 2, or with another topic/,
  },
  { ...KAFKA, wrong: 'TLS against plain', env: { KAFKA_BROKERS: brokers, KAFKA_TLS: 'on' }, address: brokers, next: /TLS/ },
  {
    ...POSTGRES,
    wrong: 'no server',
    env: { DATABASE_URL: noServer(databaseUrl) },
    address: NOBODY,
    next: /Check DATABASE_URL and that the server runs/,
  },
  {
    ...POSTGRES,
    wrong: 'wrong password',
    env: { DATABASE_URL: wrongPassword(databaseUrl) },
    address: hostOf(databaseUrl),
    next: /Check the user and password in DATABASE_URL/,
  },
  {
    ...POSTGRES,
    wrong: 'wrong database',
    env: {
      DATABASE_URL: changed(databaseUrl, (url) => {
        url.pathname = '/absent'
      }),
    },
    address: '/absent',
    next: /Make the database, or check its name/,
  },
  {
    ...POSTGRES,
    wrong: 'TLS against plain',
    env: { DATABASE_URL: `${databaseUrl}?sslmode=verify-full` },
    address: hostOf(databaseUrl),
    next: /Check sslmode in DATABASE_URL/,
  },
  {
    ...REDIS,
    wrong: 'no server',
    env: { REDIS_URL: noServer(redisUrl) },
    address: NOBODY,
    next: /Check REDIS_URL and that the server runs/,
  },
  {
    ...REDIS,
    wrong: 'wrong password',
    env: { REDIS_URL: wrongPassword(redisUrl) },
    address: hostOf(redisUrl),
    next: /Check the user and password in REDIS_URL/,
  },
  { ...REDIS, wrong: 'wrong database', env: { REDIS_URL: `${redisUrl}/999` }, address: '/999', next: /Check the number of the database/ },
  {
    ...REDIS,
    wrong: 'TLS against plain',
    env: { REDIS_URL: redisUrl.replace('redis:', 'rediss:') },
    address: hostOf(redisUrl),
    next: /rediss:\/\/ with it, redis:\/\/ without/,
  },
  {
    ...CLICKHOUSE,
    wrong: 'no server',
    env: { CLICKHOUSE_URL: noServer(clickhouseUrl) },
    address: NOBODY,
    next: /Check CLICKHOUSE_URL and that the server runs/,
  },
  {
    ...CLICKHOUSE,
    wrong: 'wrong password',
    env: { CLICKHOUSE_URL: wrongPassword(clickhouseUrl) },
    address: hostOf(clickhouseUrl),
    next: /Check the user and password in CLICKHOUSE_URL/,
  },
  {
    ...CLICKHOUSE,
    wrong: 'TLS against plain',
    env: { CLICKHOUSE_URL: clickhouseUrl.replace('http:', 'https:') },
    address: hostOf(clickhouseUrl),
    next: /https:\/\/ with it, http:\/\/ without/,
  },
  // A missing database is created, so only the cluster to create it on can be wrong.
  {
    ...CLICKHOUSE,
    wrong: 'a cluster that it does not know',
    env: { CLICKHOUSE_URL: clickhouseUrl, CLICKHOUSE_CLUSTER: 'absent' },
    address: hostOf(clickhouseUrl),
    next: /CLICKHOUSE_CLUSTER must be one of the remote_servers/,
  },
])('$setting with $wrong', ({ server, seam, env, address, next }) => {
  test('ends the start with the seam, the address without its password, and what to do', async ({ skip }) => {
    skip(server !== null && server.server === null, server?.missing ?? '')
    if (env.KAFKA_TOPIC !== undefined) await (await open({ ...env, KAFKA_REPLICATION: '1', TOLLGATE_PARTITIONS: '2' })).stop()
    const failure = await open(env).then(
      async (stores) => {
        await stores.stop()
        return null
      },
      (error: unknown) => error,
    )
    expect(failure).toBeInstanceOf(Fault)
    const { message } = failure as Fault
    expect(message).toContain(seam)
    expect(message).toContain(address)
    expect(message).toMatch(next)
    expect(message).not.toContain(SECRET)
    expect(message).not.toContain('tollgate-dev')
  })
})

/** The stores of a start in this environment. The catalog is on a real server where there is one, as an embedded one takes long to create. */
async function open(env: Record<string, string | undefined>) {
  const dataDir = await temporaryDirectory()
  const catalog = postgres.server === null ? {} : { DATABASE_URL: databaseUrl }
  const { config, problems } = readConfig({ ...catalog, TOLLGATE_DATA_DIR: dataDir, TOLLGATE_START_WAIT_MS: '0', ...env })
  if (config === null) throw new Error(problems.join())
  const environment = { config, clock: systemClock, log: pino({ level: 'silent' }), registry: new Registry(), doing: 'test' }
  try {
    const stores = await openStores(environment)
    return {
      async stop() {
        await stores.stop()
        await removeDirectory(dataDir)
      },
    }
  } catch (error) {
    await removeDirectory(dataDir)
    throw error
  }
}

test('a start that fails ends with that line alone', async ({ skip }) => {
  skip(postgres.server === null, String(postgres.missing))
  const dataDir = await temporaryDirectory()
  const env = { TOLLGATE_DATA_DIR: dataDir, TOLLGATE_START_WAIT_MS: '0', DATABASE_URL: wrongPassword(databaseUrl) }
  const { code, output } = await runTollgate(['serve'], env)
  await removeDirectory(dataDir)
  expect(code).toBe(1)
  expect(output.trim()).toMatch(/^The catalog on PostgreSQL .* Check the user and password in DATABASE_URL\.$/)
})

test.skipIf(databaseUrl === '')(
  'a database set on an existing directory is refused in plain words, and the directory goes on without it',
  async () => {
    const dataDir = await temporaryDirectory()
    const env = { TOLLGATE_DATA_DIR: dataDir }
    const first = await startTollgate({ dataDir })
    await first.ok('POST', '/v1/events', { id: 'e', type: 't', customer: 'acme' })
    await first.stop()
    const name = `together_${randomUUID().replaceAll('-', '')}`
    const client = new Client({ connectionString: databaseUrl })
    await client.connect()
    await client.query(`CREATE DATABASE ${name}`)
    try {
      const other = new URL(databaseUrl)
      other.pathname = `/${name}`
      const { code, output } = await runTollgate(['serve'], { ...env, DATABASE_URL: other.href })
      expect(code).toBe(1)
      expect(output).toMatch(/The stores do not belong together: .*event-log, .*usage-store, .*counters are of another installation than/)
      expect(output).not.toContain('tollgate-dev')
      const again = await startTollgate({ dataDir })
      await waitFor(async () => (await again.ok<{ data: unknown[] }>('GET', '/v1/events?customer=acme')).data.length === 1)
      await again.kill()
    } finally {
      await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
      await client.end()
      await removeDirectory(dataDir)
    }
  },
)

test('a server that goes away later is named by /readyz in the same words', async () => {
  const dataDir = await temporaryDirectory()
  const front = await startClickHouseFront()
  const tollgate = await startTollgate({ dataDir, env: { CLICKHOUSE_URL: front.url('tollgate') } })
  await front.kill()
  await waitFor(async () => {
    const { status, body } = await tollgate.call('GET', '/readyz')
    const { seams } = body as { seams: { usageStore: { detail?: string } } }
    return status === 503 && /usage store at http:.*Check CLICKHOUSE_URL and that the server runs/.test(seams.usageStore.detail ?? '')
  })
  await front.start()
  await waitFor(async () => (await tollgate.call('GET', '/readyz')).status === 200)
  await tollgate.kill()
  await front.discard()
  await removeDirectory(dataDir)
})

function hostOf(url: string): string {
  return url === '' ? '' : new URL(url).host
}
