import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe } from 'vitest'
import type { Change, Topic } from '../../adapters/database/changes.ts'
import type { Database } from '../../adapters/database/database.ts'
import type { DatabaseSession } from '../../adapters/database/database-session.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import { type DatabaseStores, databaseStores } from '../../runtime/database-stores.ts'

/** A place where a database is kept: after a stop and another open it is the same. */
export type DatabasePlace = {
  open(now: () => InstantMs): Promise<Database>
  remove(): Promise<void>
}

/** One database for all suites. Each test has a tenant of its own. */
export type DatabaseUnderTest = {
  /** Session of the database that is open now. */
  readonly session: DatabaseSession
  readonly stores: DatabaseStores
  /** `START` when a test begins. */
  readonly time: { nowMs: number }
  database(): Database
  /** Stops it and opens it again. */
  reopen(): Promise<void>
  freshTenant(): TenantKey
  /** The announced changes of these topics, from the beginning of each test. */
  heardOf<Name extends Topic>(...topics: Name[]): Change<Name>[]
}

export const START = Date.UTC(2026, 0, 31, 12, 0, 0, 123)

/** The export of each suite file in `database/`. */
type Suite = { describeStore(under: DatabaseUnderTest): void }

const SUITES = /^([\w-]+-(?:store|reader|session))\.ts$/

/** Runs every suite of `database/`, so that a new store brings its suite and nothing else changes. */
export async function describeDatabase(name: string, makePlace: () => Promise<DatabasePlace>): Promise<void> {
  const suites: Suite[] = []
  for (const file of (await readdir(new URL('database/', import.meta.url))).sort()) {
    const name = SUITES.exec(file)?.[1]
    if (name !== undefined) suites.push((await import(`./database/${name}.ts`)) as Suite)
  }
  describe(`stores: ${name}`, () => {
    let place: DatabasePlace
    let database: Database
    const time = { nowMs: START }
    const hearings: { readonly topics: readonly Topic[]; readonly heard: Change[] }[] = []
    const open = async () => {
      database = await place.open(() => time.nowMs as InstantMs)
      await database.migrate()
      for (const { topics, heard } of hearings) {
        database.changes.subscribe({ topics, changed: (change) => void heard.push(change), missed: () => undefined })
      }
    }
    const session: DatabaseSession = {
      clock: { now: () => time.nowMs as InstantMs },
      randomBytes: (count) => database.session.randomBytes(count),
      run: (work) => database.session.run(work),
      snapshot: (work) => database.session.snapshot(work),
      write: (work) => database.session.write(work),
    }
    beforeAll(async () => {
      place = await makePlace()
      await open()
    })
    afterAll(async () => {
      await database.stop()
      await place.remove()
    })
    beforeEach(() => {
      time.nowMs = START
      for (const { heard } of hearings) heard.length = 0
    })
    const under: DatabaseUnderTest = {
      session,
      stores: databaseStores(session),
      time,
      database: () => database,
      async reopen() {
        await database.stop()
        await open()
      },
      freshTenant: () => `tenant-${randomUUID()}` as TenantKey,
      heardOf<Name extends Topic>(...topics: Name[]) {
        const heard: Change[] = []
        hearings.push({ topics, heard })
        return heard as Change<Name>[]
      },
    }
    for (const suite of suites) suite.describeStore(under)
  })
}
