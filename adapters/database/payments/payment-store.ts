import type { Money } from '../../../domain/billing/money.ts'
import type { InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession } from '../database-session.ts'

/** Payments of invoices. A reference stands for one payment. */
export type PaymentStore = {
  append(tenant: TenantKey, payment: Payment): Promise<void>
  get(tenant: TenantKey, reference: string): Promise<Payment | null>
}

export type Payment = {
  readonly invoice: string
  readonly reference: string
  readonly amount: Money
  /** What was more than due. */
  readonly toBalance: Money
  readonly paidAtMs: InstantMs
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    /** numeric: decimal text. */
    payments: { tenant: string; reference: string; invoice: string; amount: string; to_balance: string; paid_at: Date }
  }
}

export function sqlPaymentStore(session: DatabaseSession): PaymentStore {
  return {
    append: (tenant, { reference, invoice, amount, toBalance, paidAtMs }) =>
      session.run(async (db) => {
        const columns = { invoice, amount: String(amount), to_balance: String(toBalance), paid_at: new Date(paidAtMs) }
        await db
          .insertInto('payments')
          .values({ tenant, reference, ...columns })
          .execute()
      }),
    get: (tenant, reference) =>
      session.run(async (db) => {
        const row = await db
          .selectFrom('payments')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('reference', '=', reference)
          .executeTakeFirst()
        if (row === undefined) return null
        const { invoice, amount, to_balance, paid_at } = row
        const money = { amount: BigInt(amount) as Money, toBalance: BigInt(to_balance) as Money }
        return { reference, invoice, ...money, paidAtMs: paid_at.getTime() as InstantMs }
      }),
  }
}
