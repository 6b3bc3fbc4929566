import type { Kysely, Transaction } from 'kysely'
import { Fault } from '../../../base/fault.ts'
import { isRefusal, type Refusal } from '../../../domain/refusal.ts'
import type { CatalogTables } from '../../../schemas/database/catalog-tables.ts'
import type { CatalogChange } from '../catalog.ts'

type Announce = (change: CatalogChange) => void

/** How the tables of the catalog are read and written: the one place that knows of transactions, faults and announcements. */
export type CatalogSession = {
  /** Single statements. */
  run<Value>(work: (db: Kysely<CatalogTables>) => Promise<Value>): Promise<Value>
  /** Several reads of one moment. */
  snapshot<Value>(work: (trx: Transaction<CatalogTables>) => Promise<Value>): Promise<Value>
  /** All or nothing: a refusal rolls back too. What was announced is heard once it is committed. `work` may run again after a deadlock. */
  write<Value>(work: (trx: Transaction<CatalogTables>, announce: Announce) => Promise<Value>): Promise<Value>
  onChange(listener: (change: CatalogChange) => void): void
  /** Tells the listeners of this process. */
  deliver(changes: readonly CatalogChange[]): void
}

/** Runs inside the transaction of the changes: other processes hear of them exactly when they are committed. */
export type AnnounceToOthers = (trx: Transaction<CatalogTables>, changes: readonly CatalogChange[]) => Promise<void>

const WRITE_ATTEMPTS_MAX = 4

export function createCatalogSession(db: Kysely<CatalogTables>, announceToOthers?: AnnounceToOthers): CatalogSession {
  const listeners: ((change: CatalogChange) => void)[] = []
  const session: CatalogSession = {
    run: (work) => orFault(() => work(db)),
    snapshot: (work) => orFault(() => db.transaction().setIsolationLevel('repeatable read').execute(work)),
    async write(work) {
      const changes: CatalogChange[] = []
      const transact = () =>
        db.transaction().execute(async (trx) => {
          changes.length = 0
          const value = await work(trx, (change) => changes.push(change))
          if (isRefusal(value)) throw new Refused(value)
          if (changes.length > 0) await announceToOthers?.(trx, changes)
          return value
        })
      try {
        const value = await orFault(() => retryDeadlocks(transact))
        session.deliver(changes)
        return value
      } catch (error) {
        // `work` answered this very refusal, so it is of the type that it answers.
        if (error instanceof Refused) return error.refusal as Awaited<ReturnType<typeof transact>>
        throw error
      }
    },
    onChange: (listener) => void listeners.push(listener),
    deliver(changes) {
      for (const change of changes) for (const listener of listeners) listener(change)
    },
  }
  return session
}

class Refused extends Error {
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    super(refusal.code)
    this.refusal = refusal
  }
}

async function retryDeadlocks<Value>(transact: () => Promise<Value>): Promise<Value> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transact()
    } catch (error) {
      if (attempt >= WRITE_ATTEMPTS_MAX || !isDeadlock(error)) throw error
    }
  }
}

/** serialization_failure, deadlock_detected: the database rolled us back so that another could go on. */
function isDeadlock(error: unknown): boolean {
  const code = (error as { code?: unknown }).code
  return code === '40001' || code === '40P01'
}

export async function orFault<Value>(work: () => Promise<Value>): Promise<Value> {
  try {
    return await work()
  } catch (error) {
    throw isUnavailable(error) ? catalogUnavailable(error as Error) : error
  }
}

export function catalogUnavailable(cause: Error): Fault {
  return new Fault('catalog_unavailable', `catalog unavailable: ${cause.message}`, {
    canRetry: true,
    publicText: 'The catalog cannot be reached at the moment. Nothing was changed; try again.',
    cause,
  })
}

const SYSTEM_CODES = /^E(CONN\w+|PIPE|TIMEDOUT|NOTFOUND|HOSTUNREACH|NETUNREACH|AI_AGAIN|NOSPC|IO|MFILE|NFILE)$/
/** SQLSTATE classes of a server that cannot work: connection, rollback, resources, operator intervention, system error, internal error. */
const SERVER_CODES = /^(08|40|53|57|58|XX)[0-9A-Z]{3}$/
/** The drivers' own errors have no code. */
const DRIVER_TEXTS =
  /connection terminated|connection timeout|timeout exceeded|connection error|not queryable|is closed|already closed|already been destroyed/i

/** What is left is a bug of ours and is not hidden behind a fault. */
function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? SYSTEM_CODES.test(code) || SERVER_CODES.test(code) : DRIVER_TEXTS.test(error.message)
}
