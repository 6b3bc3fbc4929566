import type { ChangeFeed } from './changes.ts'
import type { DatabaseSession } from './database-session.ts'

/**
 * The relational database: what the business has set up, and the books. Stores are functions of its session. Refusals are values;
 * errors are `Fault`s: `catalog_unavailable` (canRetry).
 */
export type Database = {
  readonly session: DatabaseSession
  readonly changes: ChangeFeed
  /** Runs the SQL files of `schemas/database/` that this database has not seen. */
  migrate(): Promise<void>
  /**
   * Copies the whole store into a directory, as of one moment and while it goes on; a store can be opened there. Absent where a
   * server keeps the data.
   */
  snapshot?(directory: string): Promise<void>
  ping(): Promise<void>
  stop(): Promise<void>
}
