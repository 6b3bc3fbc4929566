import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Kysely, sql } from 'kysely'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sqlCustomerStore } from '../../adapters/database/customers/customer-store.ts'
import type { DatabaseTables } from '../../adapters/database/database-session.ts'
import { openPGliteDatabase } from '../../adapters/database/engine/pglite-database.ts'
import { sqlMeterStore } from '../../adapters/database/meters/meter-store.ts'
import type { CustomerKey, InstantMs, MeterKey, TenantKey } from '../../domain/identity.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { reportEmbedded } from '../support/implementations.ts'
import { copyPreparedCatalog } from '../support/prepared-directory.ts'
import { type DatabasePlace, describeDatabase } from './database-under-test.ts'

const newDirectory = () => mkdtemp(join(tmpdir(), 'tollgate-catalog-'))
const openDatabase = (path: string, now: () => InstantMs = () => 0 as InstantMs) =>
  openPGliteDatabase({ path, clock: { ...systemClock, now }, randomBytes, log: pino({ level: 'silent' }) })

const makePlace = async (): Promise<DatabasePlace> => {
  const path = await newDirectory()
  return {
    open: (now) => openDatabase(path, now),
    remove: () => rm(path, { recursive: true, force: true }),
  }
}
reportEmbedded('@electric-sql/pglite')

await describeDatabase('pglite', makePlace)

describe('the database on pglite', () => {
  const TENANT = 't' as TenantKey
  let path: string
  let child: ChildProcess | undefined
  beforeEach(async () => {
    path = await newDirectory()
  })
  afterEach(async () => {
    child?.kill('SIGKILL')
    await rm(path, { recursive: true, force: true })
  })

  test('statements that wait together give others their turn, each of them, also within a transaction', async () => {
    await copyPreparedCatalog(path)
    const database = await openDatabase(path)
    let turns = 0
    let isOver = false
    const countTurns = () => {
      turns++
      if (!isOver) setImmediate(countTurns)
    }
    setImmediate(countTurns)
    const one = (db: Kysely<DatabaseTables>) => sql`SELECT 1`.execute(db)
    await Promise.all(Array.from({ length: 50 }, () => database.session.run(one)))
    expect(turns).toBeGreaterThanOrEqual(50)
    turns = 0
    await database.session.write(async ({ db }) => {
      for (let n = 0; n < 50; n++) await one(db)
    })
    expect(turns).toBeGreaterThanOrEqual(50)
    isOver = true
    await database.stop()
  })

  test('a meter from before rules goes on counting values below zero, under a revision that counts all anew', async () => {
    await copyPreparedCatalog(path)
    const before = await openDatabase(path)
    await before.migrate()
    await before.session.write(async ({ db }) => {
      // The schema as it was then.
      for (const column of ['selection', 'on_inexact', 'allow_negative'])
        await sql.raw(`ALTER TABLE meters DROP COLUMN ${column}`).execute(db)
      await sql`DELETE FROM catalog_migrations WHERE name = '0003_meter_rules.sql'`.execute(db)
      await sql`INSERT INTO meters VALUES ('t', 'old', 'call', 'sum', '["input-tokens"]', '{}', nextval('meter_revisions'))`.execute(db)
    })
    const [stored] = (await before.session.run((db) => sql<{ revision: number }>`SELECT revision FROM meters`.execute(db))).rows
    await before.stop()
    const after = await openDatabase(path)
    await after.migrate()
    const meter = await sqlMeterStore(after.session).get(TENANT, 'old' as MeterKey)
    expect(meter).toMatchObject({ value: ['input-tokens'], allowNegative: true })
    expect(meter?.revision).toBeGreaterThan(stored?.revision ?? Number.POSITIVE_INFINITY)
    await after.stop()
  })

  /** Writes in another process until `acknowledgedMin` writes were acknowledged, then kills it. */
  const writeAndKill = async (prefix: string, acknowledgedMin: number, onCompiled?: (line: string) => void) => {
    const flags = onCompiled === undefined ? [] : ['--trace-wasm-compilation-times']
    const writer = spawn(process.execPath, [...flags, new URL('./database-child.ts', import.meta.url).pathname, path, prefix], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = writer
    const exited = new Promise((resolve) => writer.once('exit', resolve))
    createInterface({ input: writer.stdout }).on('line', (line) => onCompiled?.(line))
    const acknowledged: string[] = []
    for await (const line of createInterface({ input: writer.stderr })) {
      // The last line may be cut off: whole ones end with a full stop.
      const key = /^(\S+)\.$/.exec(line)?.[1]
      if (key === undefined) process.stderr.write(`${line}\n`)
      else acknowledged.push(key)
      if (acknowledged.length === acknowledgedMin) writer.kill('SIGKILL')
    }
    await exited
    expect(acknowledged.length).toBeGreaterThanOrEqual(acknowledgedMin)
    return acknowledged
  }

  test('everything acknowledged before kill -9 is there afterwards, time and again', async () => {
    await copyPreparedCatalog(path)
    const acknowledged = [...(await writeAndKill('first', 150)), ...(await writeAndKill('second', 150))]
    const database = await openDatabase(path)
    await database.migrate()
    const owners = await sqlCustomerStore(database.session).nameHistories(
      TENANT,
      acknowledged.map((key) => `subject-${key}`),
    )
    expect([...owners.values()].flatMap((history) => history.map(({ customer }) => customer)).sort()).toEqual([...acknowledged].sort())
    await database.stop()
  })

  test('no function of the engine takes hundreds of megabytes to be compiled, at a start or later', async () => {
    const bytes: number[] = []
    await writeAndKill('first', 60, (line) => {
      const [, used] = /^Compiled function .* using (?:Liftoff|TurboFan), took \d+ ms and (\d+)/.exec(line) ?? []
      if (used !== undefined) bytes.push(Number(used))
    })
    expect(bytes.length).toBeGreaterThan(1_000)
    expect(Math.max(...bytes)).toBeLessThan(50_000_000)
  })

  test('a first start that was killed halfway is started over', async () => {
    await mkdir(join(path, 'pgdata', 'base'), { recursive: true })
    await writeFile(join(path, 'pgdata', 'PG_VERSION'), '18\n')
    const database = await openDatabase(path)
    await database.migrate()
    const customers = sqlCustomerStore(database.session)
    await customers.ensure([{ tenant: TENANT, key: 'acme' as CustomerKey }])
    expect(await customers.get(TENANT, 'acme' as CustomerKey)).not.toBeNull()
    await database.stop()
  })

  test('after stop it is a fault, not a crash', async () => {
    await copyPreparedCatalog(path)
    const database = await openDatabase(path)
    await database.stop()
    await expect(database.ping()).rejects.toMatchObject({ name: 'Fault', code: 'catalog_unavailable', canRetry: true })
  })
})
