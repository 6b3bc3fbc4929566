import { randomBytes, randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { pino } from 'pino'
import { afterAll, describe, expect, test, vi } from 'vitest'
import type { Change } from '../../adapters/database/changes.ts'
import type { Database } from '../../adapters/database/database.ts'
import type { DatabaseSession } from '../../adapters/database/database-session.ts'
import { openPostgresDatabase } from '../../adapters/database/engine/postgres-database.ts'
import { sqlOutboxStore } from '../../adapters/database/outbox/outbox-store.ts'
import { sqlProductStore } from '../../adapters/database/products/product-store.ts'
import type { InstantMs, ProductKey, TenantKey } from '../../domain/identity.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { devServerForTest } from '../support/servers/dev-servers.ts'
import { describeDatabase } from './database-under-test.ts'

const postgres = await devServerForTest('postgres')
const serverUrl = postgres.server?.url ?? ''
afterAll(() => postgres.discard())

const openDatabase = (url: string, now: () => InstantMs = () => 0 as InstantMs) =>
  openPostgresDatabase({ url, clock: { ...systemClock, now }, randomBytes, log: pino({ level: 'silent' }) })

async function administer(statement: string): Promise<void> {
  const client = new Client({ connectionString: serverUrl })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/** A database of its own on the server. */
async function createDatabase() {
  const name = `catalog_${randomUUID().replaceAll('-', '')}`
  await administer(`CREATE DATABASE ${name}`)
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return { name, url: url.href, drop: () => administer(`DROP DATABASE ${name} WITH (FORCE)`) }
}

describe.skipIf(postgres.server === null)(
  `on PostgreSQL${postgres.missing === null ? '' : ` (not run: ${postgres.missing})`}`,
  async () => {
    const makePlace = async () => {
      const database = await createDatabase()
      return { open: (now: () => InstantMs) => openDatabase(database.url, now), remove: database.drop }
    }
    await describeDatabase('postgres', makePlace)

    test('it says up to when it has heard of changes, and stops saying so while it cannot hear', async () => {
      const database = await createDatabase()
      const clock = { nowMs: 1000 }
      const opened = await openDatabase(database.url, () => clock.nowMs as InstantMs)
      const { changes } = opened
      expect(changes.heardUpToMs()).toBe(1000)
      clock.nowMs = 2000
      await vi.waitFor(() => expect(changes.heardUpToMs()).toBe(2000), 10_000)
      await administer(`ALTER DATABASE ${database.name} ALLOW_CONNECTIONS false`)
      await administer(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database.name}'`)
      await expect(opened.ping()).rejects.toThrow()
      clock.nowMs = 3000
      expect(changes.heardUpToMs()).toBe(2000)
      const missed = vi.fn()
      changes.subscribe({ topics: [], changed: () => undefined, missed })
      await administer(`ALTER DATABASE ${database.name} ALLOW_CONNECTIONS true`)
      await vi.waitFor(() => expect(changes.heardUpToMs()).toBe(3000), 20_000)
      expect(missed).toHaveBeenCalled()
      await opened.stop()
      await database.drop()
    })

    test('a message of a transaction that commits late is placed behind those that were read meanwhile', async () => {
      const database = await createDatabase()
      const opened = await openDatabase(database.url)
      await opened.migrate()
      const tenant = 't' as TenantKey
      const outbox = sqlOutboxStore(opened.session)
      const message = (object: string) => ({ type: 'invoice.paid' as const, object, data: {}, createdAtMs: 0 as InstantMs })
      const isWritten = Promise.withResolvers<void>()
      const mayCommit = Promise.withResolvers<void>()
      const late = opened.session.write(async (trx) => {
        await sqlOutboxStore(trx).append(tenant, [message('late')])
        isWritten.resolve()
        await mayCommit.promise
      })
      await isWritten.promise
      await outbox.append(tenant, [message('quick')])
      await outbox.place(10)
      const read = await outbox.feed(tenant, '0', 10)
      mayCommit.resolve()
      await late
      await outbox.place(10)
      const rest = await outbox.feed(tenant, read[0]?.position ?? '0', 10)
      expect([read, rest].map((each) => each.map(({ object }) => object))).toEqual([['quick'], ['late']])
      await opened.stop()
      await database.drop()
    })

    test('processes that start together migrate once, and hear of each other', async () => {
      const database = await createDatabase()
      const opened = await Promise.all(Array.from({ length: 4 }, () => openDatabase(database.url)))
      await Promise.all(opened.map((each) => each.migrate()))
      const [first, second] = opened as [Database, Database, ...Database[]]
      const listen = ({ changes }: Database) => {
        const heard: (Change | 'missed')[] = []
        changes.subscribe({ topics: ['products'], changed: (change) => heard.push(change), missed: () => heard.push('missed') })
        return heard
      }
      const heard = { first: listen(first), second: listen(second) }
      const tenant = 't' as TenantKey
      const products = { first: sqlProductStore(first.session), second: sqlProductStore(second.session) }
      await products.first.put(tenant, { key: 'ai' as ProductKey, name: 'AI', description: null })
      const change = { tenant, topic: 'products', key: 'ai' }
      expect(heard.first).toEqual([change])
      await vi.waitFor(() => expect(heard.second).toEqual([change]))
      await products.second.put(tenant, { key: 'ml' as ProductKey, name: 'ML', description: null })
      await vi.waitFor(() => expect(heard.first).toEqual([change, { ...change, key: 'ml' }]))

      await administer(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database.name}'`)
      await vi.waitFor(() => expect(heard.second.at(-1)).toBe('missed'), 10_000)
      expect(await products.second.get(tenant, 'ai' as ProductKey)).toMatchObject({ name: 'AI' })
      await Promise.all(opened.map((each) => each.stop()))
      await database.drop()
    })

    test('transactions that wait for each other are run again, and announce what they did once', async () => {
      const database = await createDatabase()
      const { session, changes, migrate, stop } = await openDatabase(database.url)
      await migrate()
      const heard: string[] = []
      changes.subscribe({ topics: ['products'], changed: ({ key }) => heard.push(key), missed: () => undefined })
      const tenant = 't' as TenantKey
      const [ai, ml] = ['ai', 'ml'].map((key) => key as ProductKey) as [ProductKey, ProductKey]
      const put = (on: DatabaseSession, key: ProductKey, name: string) => sqlProductStore(on).put(tenant, { key, name, description: null })
      for (const key of [ai, ml]) await put(session, key, 'new')
      heard.length = 0
      let attempts = 0
      const haveFirst = Promise.withResolvers<void>()
      const inOrder = (first: ProductKey, second: ProductKey) =>
        session.write(async (trx) => {
          await put(trx, first, `${first} first`)
          // Each has its first row before either asks for its second.
          if (++attempts === 2) haveFirst.resolve()
          await haveFirst.promise
          await put(trx, second, `${first} first`)
        })
      await Promise.all([inOrder(ai, ml), inOrder(ml, ai)])
      // One of both is ended and run again, more than once if it comes back before the other has gone on.
      expect(attempts).toBeGreaterThanOrEqual(3)
      expect(heard).toHaveLength(4)
      const [last] = (await sqlProductStore(session).list(tenant, { limit: 2 })).data
      expect((await sqlProductStore(session).list(tenant, { limit: 2 })).data.map(({ name }) => name)).toEqual([last?.name, last?.name])
      await stop()
      await database.drop()
    })

    test('a server that is not there is a fault', async () => {
      await expect(openDatabase('postgres://nobody@127.0.0.1:1/none')).rejects.toMatchObject({
        code: 'catalog_unavailable',
        canRetry: true,
      })
    })
  },
)
