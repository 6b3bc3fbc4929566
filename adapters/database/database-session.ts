import type { ColumnType, Kysely, Transaction } from 'kysely'
import type { Clock } from '../../base/clock.ts'
import type { Change } from './changes.ts'

/**
 * The tables of `schemas/database/` as the query builder sees them. A store declares its own beside its SQL: `declare module
 * '../database-session.ts' { interface DatabaseTables { grants: { … } } }`.
 */
export interface DatabaseTables {
  /** SQL files that have run. */
  catalog_migrations: { name: string; applied_at: Date }
}

/** jsonb: read as the value, written as JSON text. */
export type Json<Value> = ColumnType<Value, string, string>

export type RandomBytes = (count: number) => Uint8Array

/**
 * How stores read and write. A store is a function of a session: on the database's own session each change is a transaction; on
 * the session of a transaction, several stores change together or not at all.
 */
export type DatabaseSession = {
  readonly clock: Pick<Clock, 'now'>
  /** The source of new ids. */
  readonly randomBytes: RandomBytes
  /** Runs single statements. */
  run<Value>(work: (db: Kysely<DatabaseTables>) => Promise<Value>): Promise<Value>
  /** Runs several reads as of one moment. Within a transaction each read is as of the moment when it runs. */
  snapshot<Value>(work: (db: Kysely<DatabaseTables>) => Promise<Value>): Promise<Value>
  /**
   * All or nothing: a refusal rolls back too. Announced changes are heard once they are committed. `work` may run again after a
   * deadlock. Within a transaction it joins that transaction: a refusal takes back only the changes of this `work`, and the
   * caller decides whether the rest goes on; one call at a time. `work` uses stores on the session that it is given; a store on
   * the outer session would wait for this transaction to end, and is an error.
   */
  write<Value>(work: (session: DatabaseTransaction) => Promise<Value>): Promise<Value>
}

/** The session of a transaction; valid until it ends. */
export type DatabaseTransaction = DatabaseSession & {
  readonly db: Transaction<DatabaseTables>
  announce(change: Change): void
}
