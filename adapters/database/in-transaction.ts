import type { DatabaseSession } from './database-session.ts'

/**
 * Several stores in one transaction, for a stage, which sees no session. A refusal that `work` answers and an error take all
 * of it back; `work` may run again after a deadlock, so it does nothing but ask the stores and decide.
 */
export type InTransaction<Stores> = <Value>(work: (stores: Stores) => Promise<Value>) => Promise<Value>

/** `runtime/` says which stores: `inTransaction(session, (trx) => ({ invoices: sqlInvoiceStore(trx), outbox: sqlOutbox(trx) }))`. */
export function inTransaction<Stores>(session: DatabaseSession, open: (trx: DatabaseSession) => Stores): InTransaction<Stores> {
  return (work) => session.write((trx) => work(open(trx)))
}
