import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createClient } from '@clickhouse/client'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { Wait } from 'testcontainers'
import { afterAll, describe, expect, test } from 'vitest'
import { openClickHouseUsageStore } from '../../adapters/usage-store/engine/clickhouse-server-usage-store.ts'
import { statementsOf } from '../../adapters/usage-store/engine/migrate-usage-store.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { describeUsageStore } from '../contracts/usage-store.ts'
import { flushOf, offset, partition, storedEvent, tenant } from '../contracts/usage-store-builders.ts'
import { composeImage, containerForTest } from '../support/servers/container.ts'

const PORT = 8123
const [USER, PASSWORD] = ['tollgate', 'tollgate-test']
const clickhouse = await containerForTest('ClickHouse server', composeImage('clickhouse'), (container) =>
  container
    .withExposedPorts(PORT)
    .withEnvironment({ CLICKHOUSE_USER: USER, CLICKHOUSE_PASSWORD: PASSWORD, CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT: '1' })
    .withWaitStrategy(Wait.forHttp('/ping', PORT)),
)
afterAll(() => clickhouse.discard())

const origin = () => `${clickhouse.container?.getHost()}:${clickhouse.container?.getMappedPort(PORT)}`
const newDatabase = () => `usage_${randomUUID().replaceAll('-', '')}`
const openStore = (database: string, chunkRecords = 1000) =>
  openClickHouseUsageStore({
    clock: systemClock,
    url: `http://${USER}:${PASSWORD}@${origin()}/${database}`,
    chunkRecords,
    log: pino({ level: 'silent' }),
    registry: new Registry(),
  })

describe.skipIf(clickhouse.container === null)(
  `in a container${clickhouse.missing === null ? '' : ` (not run: ${clickhouse.missing})`}`,
  () => {
    describeUsageStore(`clickhouse (${clickhouse.image})`, async () => {
      const database = newDatabase()
      return { open: async (chunkRecords) => openStore(database, chunkRecords), remove: async () => undefined }
    })

    test('an analyst sees the events of one tenant, in the tables too, and changes nothing', async () => {
      const database = newDatabase()
      const store = openStore(database)
      await store.migrate()
      await store.write(
        flushOf({
          events: ['acme', 'other'].map((key, at) => storedEvent({ tenant: tenant(key), offset: offset(at) })),
          positions: [{ partition: partition(0), next: offset(2) }],
        }),
      )
      const text = readFileSync(new URL('../../deploy/clickhouse/analyst.sql', import.meta.url), 'utf8')
      const url = `http://${origin()}`
      const administrator = createClient({ url, username: USER, password: PASSWORD, database })
      for (const query of statementsOf(text.replaceAll('ACME', 'acme').replaceAll('SECRET', 'Analyst-secret-1')))
        await administrator.command({ query })
      await administrator.close()

      const analyst = createClient({ url, username: 'analyst_acme', password: 'Analyst-secret-1', database })
      for (const table of ['usage_events', 'events']) {
        const rows = await (await analyst.query({ query: `SELECT tenant FROM ${table}`, format: 'JSONEachRow' })).json()
        expect(rows, table).toEqual([{ tenant: 'acme' }])
      }
      await expect(analyst.query({ query: 'SELECT * FROM positions' })).rejects.toThrow(/privileges/)
      await expect(analyst.command({ query: "INSERT INTO events (tenant) VALUES ('acme')" })).rejects.toThrow(/readonly|privileges/i)
      await analyst.close()
      expect((await store.query('SELECT count() AS rows FROM events'))[0]).toEqual({ rows: '2' })
      await store.stop()
    })
  },
)
