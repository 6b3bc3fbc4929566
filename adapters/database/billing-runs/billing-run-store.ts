import type { TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession, Json } from '../database-session.ts'
import { sqlOutboxStore } from '../outbox/outbox-store.ts'

/** Runs that were asked for, and what came of them. `Run` is what is answered of one. */
export type BillingRunStore<Run> = {
  save(tenant: TenantKey, id: string, run: Run): Promise<void>
  /** The same for the last time, and tells of it. */
  finish(tenant: TenantKey, id: string, run: Run): Promise<void>
  get(tenant: TenantKey, id: string): Promise<Run | null>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    billing_runs: { tenant: string; id: string; run: Json<unknown>; started_at: Date }
  }
}

export function sqlBillingRunStore<Run>(session: DatabaseSession): BillingRunStore<Run> {
  const save = (own: DatabaseSession, tenant: TenantKey, id: string, run: Run) =>
    own.run(async (db) => {
      const columns = { run: JSON.stringify(run) }
      await db
        .insertInto('billing_runs')
        .values({ tenant, id, ...columns, started_at: new Date(session.clock.now()) })
        .onConflict((conflict) => conflict.columns(['tenant', 'id']).doUpdateSet(columns))
        .execute()
    })
  return {
    save: (tenant, id, run) => save(session, tenant, id, run),
    finish: (tenant, id, run) =>
      session.write(async (trx) => {
        await save(trx, tenant, id, run)
        const message = { type: 'billing_run.finished' as const, object: id, data: run, createdAtMs: trx.clock.now() }
        await sqlOutboxStore(trx).append(tenant, [message])
      }),
    get: (tenant, id) =>
      session.run(async (db) => {
        const row = await db.selectFrom('billing_runs').select('run').where('tenant', '=', tenant).where('id', '=', id).executeTakeFirst()
        return row === undefined ? null : (row.run as Run)
      }),
  }
}
