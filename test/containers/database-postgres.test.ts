import { randomBytes, randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { pino } from 'pino'
import { Wait } from 'testcontainers'
import { afterAll, describe } from 'vitest'
import { openPostgresDatabase } from '../../adapters/database/engine/postgres-database.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { type DatabasePlace, describeDatabase } from '../contracts/database-under-test.ts'
import { composeImage, containerForTest } from '../support/servers/container.ts'

const PORT = 5432
const [USER, PASSWORD] = ['tollgate', 'tollgate-test']
const postgres = await containerForTest('PostgreSQL', composeImage('postgres'), (container) =>
  container
    .withExposedPorts(PORT)
    .withEnvironment({ POSTGRES_USER: USER, POSTGRES_PASSWORD: PASSWORD })
    // PostgreSQL starts twice: once to be set up, then to stay.
    .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2)),
)
afterAll(() => postgres.discard())

async function makePlace(): Promise<DatabasePlace> {
  const server = `postgres://${USER}:${PASSWORD}@${postgres.container?.getHost()}:${postgres.container?.getMappedPort(PORT)}`
  const database = `catalog_${randomUUID().replaceAll('-', '')}`
  const client = new Client({ connectionString: `${server}/${USER}` })
  await client.connect()
  await client.query(`CREATE DATABASE ${database}`)
  await client.end()
  const log = pino({ level: 'silent' })
  return {
    open: (now) => openPostgresDatabase({ url: `${server}/${database}`, clock: { ...systemClock, now }, randomBytes, log }),
    remove: async () => undefined,
  }
}

describe.skipIf(postgres.container === null)(
  `in a container${postgres.missing === null ? '' : ` (not run: ${postgres.missing})`}`,
  async () => {
    await describeDatabase(`postgres (${postgres.image})`, makePlace)
  },
)
