import { AsyncLocalStorage } from 'node:async_hooks'
import { type Kysely, sql, type Transaction } from 'kysely'
import type { Clock } from '../../../base/clock.ts'
import { Fault } from '../../../base/fault.ts'
import { invariant } from '../../../base/invariant.ts'
import { isRefusal, type Refusal } from '../../../domain/refusal.ts'
import { currentlyActing } from '../acting.ts'
import type { Change } from '../changes.ts'
import type { DatabaseSession, DatabaseTables, DatabaseTransaction, RandomBytes } from '../database-session.ts'
import type { ChangeListeners } from './change-listeners.ts'

/** Runs inside the transaction of the changes, so that other processes hear of them exactly when they are committed. */
export type AnnounceToOthers = (trx: Transaction<DatabaseTables>, changes: readonly Change[]) => Promise<void>

export type KyselySessionOptions = {
  readonly db: Kysely<DatabaseTables>
  readonly clock: Pick<Clock, 'now'>
  readonly randomBytes: RandomBytes
  readonly listeners: Pick<ChangeListeners, 'tell'>
  readonly announceToOthers?: AnnounceToOthers
}

const WRITE_ATTEMPTS_MAX = 4

/** The one place where transactions, faults and announcements are handled. */
export function createKyselySession({ db, clock, randomBytes, listeners, announceToOthers }: KyselySessionOptions): DatabaseSession {
  const underWay = new AsyncLocalStorage<{ isOpen: boolean }>()

  /** Waits for a connection; the embedded engine has one, so that a call from inside a transaction would wait for itself. */
  async function outside<Value>(work: () => Promise<Value>): Promise<Value> {
    invariant(underWay.getStore()?.isOpen !== true, 'inside a transaction, stores are made on the transaction and not on the session')
    return await orFault(work)
  }

  function inTransaction<Value>(work: () => Promise<Value>): Promise<Value> {
    const transaction = { isOpen: true }
    return underWay.run(transaction, work).finally(() => {
      transaction.isOpen = false
    })
  }

  return {
    clock,
    randomBytes,
    run: (work) => outside(() => work(db)),
    snapshot: (work) =>
      outside(() =>
        db
          .transaction()
          .setIsolationLevel('repeatable read')
          .execute((trx) => inTransaction(() => work(trx))),
      ),
    async write(work) {
      const changes: Change[] = []
      const transact = () =>
        db.transaction().execute(async (trx) => {
          changes.length = 0
          await nameActor(trx, clock)
          const value = await inTransaction(async () => await work(createTransaction({ trx, clock, randomBytes, changes })))
          if (isRefusal(value)) throw new Refused(value)
          if (changes.length > 0) await announceToOthers?.(trx, changes)
          return value
        })
      try {
        const value = await outside(() => retryDeadlocks(transact))
        listeners.tell(changes)
        return value
      } catch (error) {
        // This very refusal was answered by `work`, so it has the type of its answer.
        if (error instanceof Refused) return error.refusal as Awaited<ReturnType<typeof transact>>
        throw error
      }
    },
  }
}

/** The audit log reads it at the commit. */
async function nameActor(trx: Transaction<DatabaseTables>, clock: Pick<Clock, 'now'>): Promise<void> {
  const acting = currentlyActing()
  if (acting === null) return
  const named = JSON.stringify({ ...acting, at: new Date(clock.now()).toISOString() })
  await sql`SELECT set_config('tollgate.acting', ${named}, true)`.execute(trx)
}

/** Errors pass through unchanged: the code that opened the transaction retries it, or turns them into faults. */
function createTransaction(options: {
  readonly trx: Transaction<DatabaseTables>
  readonly clock: Pick<Clock, 'now'>
  readonly randomBytes: RandomBytes
  /** The transaction's changes are appended here. */
  readonly changes: Change[]
}): DatabaseTransaction {
  const { trx, clock, randomBytes, changes } = options
  const session: DatabaseTransaction = {
    db: trx,
    clock,
    randomBytes,
    announce: (change) => void changes.push(change),
    run: (work) => work(trx),
    snapshot: (work) => work(trx),
    async write(work) {
      const changesBefore = changes.length
      await sql`SAVEPOINT joined`.execute(trx)
      const value = await work(session)
      if (isRefusal(value)) {
        await sql`ROLLBACK TO SAVEPOINT joined`.execute(trx)
        changes.length = changesBefore
      }
      // From here on the name may mean an outer savepoint again, as savepoints of one name stack.
      await sql`RELEASE SAVEPOINT joined`.execute(trx)
      return value
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

/** serialization_failure, deadlock_detected: the database rolled us back so that another transaction could go on. */
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

/** Every other error is a bug of ours and is not hidden behind a fault. */
function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? SYSTEM_CODES.test(code) || SERVER_CODES.test(code) : DRIVER_TEXTS.test(error.message)
}
