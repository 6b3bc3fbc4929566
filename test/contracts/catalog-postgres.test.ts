import { randomBytes, randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { pino } from 'pino'
import { afterAll, describe, expect, test, vi } from 'vitest'
import type { Catalog, CatalogChange } from '../../adapters/database/catalog.ts'
import { openPostgresCatalog } from '../../adapters/database/engine/postgres-catalog.ts'
import type { InstantMs, ProductKey, TenantKey } from '../../domain/identity.ts'
import { systemClock } from '../../runtime/system-clock.ts'
import { devServerForTest } from '../support/dev-servers.ts'
import { describeCatalog } from './catalog.ts'
import { describeCatalogAllowances } from './catalog-allowances.ts'

const postgres = await devServerForTest('postgres')
const serverUrl = postgres.server?.url ?? ''
afterAll(() => postgres.discard())

const openCatalog = (url: string, now: () => InstantMs = () => 0 as InstantMs) =>
  openPostgresCatalog({ url, clock: { ...systemClock, now }, randomBytes, log: pino({ level: 'silent' }) })

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

describe.skipIf(postgres.server === null)(`on PostgreSQL${postgres.missing === null ? '' : ` (not run: ${postgres.missing})`}`, () => {
  const makePlace = async () => {
    const database = await createDatabase()
    return { open: (now: () => InstantMs) => openCatalog(database.url, now), remove: database.drop }
  }
  describeCatalog('postgres', makePlace)
  describeCatalogAllowances('postgres', makePlace)

  test('it says up to when it has heard of changes, and stops saying so while it cannot hear', async () => {
    const database = await createDatabase()
    const clock = { nowMs: 1000 }
    const catalog = await openCatalog(database.url, () => clock.nowMs as InstantMs)
    expect(catalog.heardUpToMs()).toBe(1000)
    clock.nowMs = 2000
    await vi.waitFor(() => expect(catalog.heardUpToMs()).toBe(2000), 10_000)
    await administer(`ALTER DATABASE ${database.name} ALLOW_CONNECTIONS false`)
    await administer(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database.name}'`)
    await expect(catalog.ping()).rejects.toThrow()
    clock.nowMs = 3000
    expect(catalog.heardUpToMs()).toBe(2000)
    const heard: CatalogChange[] = []
    catalog.onChange((change) => heard.push(change))
    await administer(`ALTER DATABASE ${database.name} ALLOW_CONNECTIONS true`)
    await vi.waitFor(() => expect(catalog.heardUpToMs()).toBe(3000), 20_000)
    expect(heard).toContainEqual({ tenant: '', kind: 'everything', key: '' })
    await catalog.stop()
    await database.drop()
  })

  test('processes that start together migrate once, and hear of each other', async () => {
    const database = await createDatabase()
    const catalogs = await Promise.all(Array.from({ length: 4 }, () => openCatalog(database.url)))
    await Promise.all(catalogs.map((catalog) => catalog.migrate()))
    const [first, second] = catalogs as [Catalog, Catalog, ...Catalog[]]
    const heard = { first: [] as CatalogChange[], second: [] as CatalogChange[] }
    first.onChange((change) => heard.first.push(change))
    second.onChange((change) => heard.second.push(change))
    const tenant = 't' as TenantKey
    await first.putProduct(tenant, { key: 'ai' as ProductKey, name: 'AI', description: null })
    const change = { tenant, kind: 'product', key: 'ai' }
    expect(heard.first).toEqual([change])
    await vi.waitFor(() => expect(heard.second).toEqual([change]))
    await second.putProduct(tenant, { key: 'ml' as ProductKey, name: 'ML', description: null })
    await vi.waitFor(() => expect(heard.first).toEqual([change, { ...change, key: 'ml' }]))

    await administer(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database.name}'`)
    await vi.waitFor(() => expect(heard.second.at(-1)).toEqual({ tenant: '', kind: 'everything', key: '' }), 10_000)
    expect(await second.product(tenant, 'ai' as ProductKey)).toMatchObject({ name: 'AI' })
    await Promise.all(catalogs.map((catalog) => catalog.stop()))
    await database.drop()
  })

  test('a server that is not there is a fault', async () => {
    await expect(openCatalog('postgres://nobody@127.0.0.1:1/none')).rejects.toMatchObject({ code: 'catalog_unavailable', canRetry: true })
  })
})
