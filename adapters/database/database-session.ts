import type { ColumnType, Kysely, Transaction } from 'kysely'
import type { Clock } from '../../base/clock.ts'
import type { Change } from './changes.ts'

/**
 * The tables of `schemas/database/` as the query builder sees them. A store declares its own beside its SQL:
 * `declare module '../database-session.ts' { interface DatabaseTables { grants: { … } } }`.
 */
export interface DatabaseTables {
  /** Files that have run. */
  catalog_migrations: { name: string; applied_at: Date }
}

/** jsonb: read as the value, written as its text. */
export type Json<Value> = ColumnType<Value, string, string>

export type RandomBytes = (count: number) => Uint8Array

/**
 * How stores read and write. A store is a function of a session: on the database's own each change is a transaction; on
 * that of a transaction, several stores change together or not at all.
 */
export type DatabaseSession = {
  readonly clock: Pick<Clock, 'now'>
  /** Ids are made from it. */
  readonly randomBytes: RandomBytes
  /** Single statements. */
  run<Value>(work: (db: Kysely<DatabaseTables>) => Promise<Value>): Promise<Value>
  /** Several reads of one moment. Within a transaction they are just its reads, each of the moment when it runs. */
  snapshot<Value>(work: (db: Kysely<DatabaseTables>) => Promise<Value>): Promise<Value>
  /**
   * All or nothing: a refusal rolls back too. What was announced is heard once it is committed. `work` may run again
   * after a deadlock. Within a transaction it joins that one: a refusal takes back what this `work` did, and the caller
   * decides whether the rest goes on. One at a time there; and `work` uses stores on the session that it is given, as on
   * another one they would wait for it to end.
   */
  write<Value>(work: (session: DatabaseTransaction) => Promise<Value>): Promise<Value>
}

/** The session of a transaction, until it ends. */
export type DatabaseTransaction = DatabaseSession & {
  readonly db: Transaction<DatabaseTables>
  announce(change: Change): void
}
