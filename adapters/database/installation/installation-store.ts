import type { DatabaseSession } from '../database-session.ts'

/** What tells the stores of one installation from those of another. */
export type Installation = {
  /** Made with the database, by its migration. */
  readonly id: string
  /** False for a database that was in use before there were ids: its stores have none until they are opened with it once. */
  readonly isNew: boolean
}

export type InstallationStore = { get(): Promise<Installation> }

declare module '../database-session.ts' {
  interface DatabaseTables {
    installation: { id: string; is_new: boolean }
  }
}

export function sqlInstallationStore(session: DatabaseSession): InstallationStore {
  return {
    async get() {
      const { id, is_new: isNew } = await session.run((db) => db.selectFrom('installation').selectAll().executeTakeFirstOrThrow())
      return { id, isNew }
    },
  }
}
