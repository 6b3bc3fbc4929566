import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { settleEmbeddedStores } from './stores-belong-together.ts'

describe('embedded stores and their database', () => {
  let dataDir: string
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'tollgate-together-'))
  })
  afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

  const stores = ['event-log', 'usage-store', 'counters'] as const
  const settle = (id: string, isNew: boolean) =>
    settleEmbeddedStores({ dataDir, stores, database: 'the database at db:5432' }, { id, isNew })
  const idOf = (store: string) => readFileSync(join(dataDir, store, 'installation'), 'utf8').trim()
  /** As a version without ids left it. */
  function fill(store: string) {
    mkdirSync(join(dataDir, store), { recursive: true })
    writeFileSync(join(dataDir, store, 'data.mdb'), 'rows')
  }

  function openUnder(id: string) {
    settle(id, true)
    for (const store of stores) fill(store)
  }

  test('stores that were marked and never opened take the id of the database that is there now', () => {
    settle('a', true)
    settle('b', true)
    expect(stores.map(idOf)).toEqual(['b', 'b', 'b'])
  })

  test('a first start marks all of them, and every further one finds its own', () => {
    for (let start = 0; start < 2; start++) settle('a', true)
    expect(stores.map(idOf)).toEqual(['a', 'a', 'a'])
    expect(statSync(join(dataDir, 'counters', 'installation')).mode & 0o777).toBe(0o600)
  })

  test('a directory from before there were ids gets the id of its database, with which it was in use', () => {
    for (const store of stores) fill(store)
    settle('a', false)
    expect(stores.map(idOf)).toEqual(['a', 'a', 'a'])
  })

  test.each([
    { is: 'another database', has: () => openUnder('a'), database: { id: 'b', isNew: true } },
    { is: 'another database that was in use before', has: () => openUnder('a'), database: { id: 'b', isNew: false } },
    { is: 'a new database, over stores from before there were ids', has: () => fill('event-log'), database: { id: 'b', isNew: true } },
  ])('$is is refused, and nothing is written', ({ has, database }) => {
    has()
    expect(() => settle(database.id, database.isNew)).toThrow(
      /event-log.* of another installation than the database at db:5432\. Nothing was changed.*DATABASE_URL.*TOLLGATE_DATA_DIR.*How to move/,
    )
    expect(stores.filter((store) => existsSync(join(dataDir, store, 'installation')) && idOf(store) === database.id)).toEqual([])
  })
})
