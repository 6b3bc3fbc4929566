import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, describe, expect, test } from 'vitest'
import { openClickHouseUsageStore } from '../../adapters/usage-store/engine/clickhouse-server-usage-store.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { startClickHouseFront } from '../support/servers/clickhouse-front.ts'
import { describeUsageStore } from './usage-store.ts'
import { flushOf, offset, partition, storedEvent } from './usage-store-builders.ts'

const front = await startClickHouseFront()
afterAll(() => front.discard())

const newDatabase = () => `usage_${randomUUID().replaceAll('-', '')}`
const openStore = (url: string, chunkRecords = 1000) =>
  openClickHouseUsageStore({ clock: systemClock, url, chunkRecords, log: pino({ level: 'silent' }), registry: new Registry() })

describeUsageStore('clickhouse over http', async () => {
  const database = newDatabase()
  return { open: async (chunkRecords) => openStore(front.url(database), chunkRecords), remove: async () => undefined }
})

describe('the usage store over HTTP', () => {
  test('away for a moment, it is a fault that passes, and what was written before is there', async () => {
    const store = openStore(front.url(newDatabase()))
    await store.migrate()
    await store.write(flushOf({ events: [storedEvent()], positions: [{ partition: partition(0), next: offset(1) }] }))
    await front.kill()
    await expect(store.positions()).rejects.toMatchObject({ code: 'usage_store_unavailable', canRetry: true })
    await front.start()
    expect((await store.positions()).get(partition(0))).toBe(1)
    await store.stop()
  })

  test('a store of another installation is refused, and one from before there were ids is taken by a database in use alone', async () => {
    const open = (url: string, id: string, isNew: boolean) =>
      openClickHouseUsageStore({
        clock: systemClock,
        url,
        chunkRecords: 1000,
        log: pino({ level: 'silent' }),
        registry: new Registry(),
        installation: { id, isNew, database: `the database ${id}` },
      })
    const migrate = async (...at: Parameters<typeof open>) => {
      const store = open(...at)
      await store.migrate().finally(() => store.stop())
    }
    const foreign = {
      code: 'usage_store_rejected',
      message: expect.stringMatching(/do not belong together.*than the database b.*CLICKHOUSE_URL/),
    }
    const url = front.url(newDatabase())
    await migrate(url, 'a', true)
    await migrate(url, 'a', false)
    await expect(migrate(url, 'b', false)).rejects.toMatchObject(foreign)
    const before = front.url(newDatabase())
    const unmarked = openStore(before)
    await unmarked.migrate()
    await unmarked.stop()
    await expect(migrate(before, 'b', true)).rejects.toMatchObject(foreign)
    await migrate(before, 'a', false)
    await expect(migrate(before, 'b', false)).rejects.toMatchObject(foreign)
  })

  test('a cluster that it does not know is named, with what to do', async () => {
    const store = openClickHouseUsageStore({
      clock: systemClock,
      url: front.url(newDatabase()),
      cluster: 'unknown',
      chunkRecords: 1000,
      log: pino({ level: 'silent' }),
      registry: new Registry(),
    })
    await expect(store.migrate()).rejects.toMatchObject({
      code: 'usage_store_rejected',
      message: expect.stringMatching(/'unknown' not found.*CLICKHOUSE_CLUSTER must be one of the remote_servers/),
    })
    await store.stop()
  })
})
