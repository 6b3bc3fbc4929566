import type { DatabaseSession } from './database-session.ts'

/**
 * Several stores in one transaction, for a stage, which has no session. A refusal answered by `work` or an error rolls all of it
 * back; `work` may run again after a deadlock, so it only asks the stores and decides.
 */
export type InTransaction<Stores> = <Value>(work: (stores: Stores) => Promise<Value>) => Promise<Value>

/** `runtime/` chooses the stores: `inTransaction(session, (trx) => ({ invoices: sqlInvoiceStore(trx), outbox: sqlOutbox(trx) }))`. */
export function inTransaction<Stores>(session: DatabaseSession, open: (trx: DatabaseSession) => Stores): InTransaction<Stores> {
  return (work) => session.write((trx) => work(open(trx)))
}
