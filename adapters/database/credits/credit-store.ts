import { type Kysely, type Selectable, sql } from 'kysely'
import { accountName, type BillingAccount } from '../../../domain/billing/billing-inputs.ts'
import type { Credit } from '../../../domain/billing/credit.ts'
import type { Money } from '../../../domain/billing/money.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'

/** What customers have with the seller: the balance of account and credits, of each customer in each currency. */
export type CreditStore = {
  /**
   * Accounts as they are, and those that there are not yet made with nothing; their rows stay locked until the transaction ends,
   * in the order of customers and currencies, so that no two wait in a ring.
   */
  lock(tenant: TenantKey, accounts: readonly AccountKey[]): Promise<ReadonlyMap<string, BillingAccount>>
  /** Replaces balance and credits of accounts that the transaction has locked; versions go up. Credits are only added and changed. */
  save(tenant: TenantKey, accounts: readonly (AccountKey & { readonly account: BillingAccount })[]): Promise<void>
  get(tenant: TenantKey, account: AccountKey): Promise<BillingAccount | null>
  /** Whose credits have this id: ids are unique within a customer alone. */
  having(tenant: TenantKey, id: string): Promise<readonly AccountKey[]>
}

export type AccountKey = { readonly customer: CustomerKey; readonly currency: string }

declare module '../database-session.ts' {
  interface DatabaseTables {
    /** numeric: decimal text. */
    billing_accounts: { tenant: string; customer: string; currency: string; balance: string; version: number }
    credits: {
      tenant: string
      customer: string
      id: string
      currency: string
      amount: string
      paid: string
      priority: number
      effective_at: Date
      expires_at: Date | null
      created_at: Date
      applies_to: Json<Credit['appliesTo']>
      burned: string
      expired: string
      voided: string
    }
  }
}

export function sqlCreditStore(session: DatabaseSession): CreditStore {
  return {
    lock: (tenant, accounts) =>
      session.run(async (db) => {
        if (accounts.length === 0) return new Map()
        const wanted = accounts.toSorted((a, b) => compare(a.customer, b.customer) || compare(a.currency, b.currency))
        const rows = JSON.stringify(wanted.map(({ customer, currency }) => ({ customer, currency })))
        await sql`
          INSERT INTO billing_accounts (tenant, customer, currency, balance, version)
          SELECT ${tenant}::text, customer, currency, 0, 0 FROM jsonb_to_recordset(${rows}::jsonb) AS rows (customer text, currency text)
          ORDER BY customer COLLATE "C", currency ON CONFLICT DO NOTHING`.execute(db)
        await sql`
          SELECT 1 FROM billing_accounts JOIN jsonb_to_recordset(${rows}::jsonb) AS rows (customer text, currency text) USING (customer, currency)
          WHERE tenant = ${tenant} ORDER BY billing_accounts.customer, billing_accounts.currency FOR UPDATE OF billing_accounts`.execute(db)
        const customers = new Set(wanted.map(({ customer }) => customer))
        return await accountsOf(db, tenant, [...customers])
      }),

    save: (tenant, accounts) =>
      session.run(async (db) => {
        if (accounts.length === 0) return
        const balances = accounts.map(({ customer, currency, account }) => ({ customer, currency, balance: String(account.balance) }))
        await sql`
          UPDATE billing_accounts AS accounts SET balance = rows.balance, version = accounts.version + 1
          FROM jsonb_to_recordset(${JSON.stringify(balances)}::jsonb) AS rows (customer text, currency text, balance numeric)
          WHERE accounts.tenant = ${tenant} AND accounts.customer = rows.customer AND accounts.currency = rows.currency`.execute(db)
        const credits = accounts.flatMap(({ customer, currency, account }) =>
          account.credits.map((credit) => rowOf(customer, currency, credit)),
        )
        if (credits.length === 0) return
        await sql`
          INSERT INTO credits (tenant, customer, id, currency, amount, paid, priority, effective_at, expires_at, created_at, applies_to, burned, expired, voided)
          SELECT ${tenant}::text, rows.* FROM jsonb_to_recordset(${JSON.stringify(credits)}::jsonb) AS rows (
            customer text, id text, currency text, amount numeric, paid numeric, priority integer, effective_at timestamptz,
            expires_at timestamptz, created_at timestamptz, applies_to jsonb, burned numeric, expired numeric, voided numeric)
          ON CONFLICT (tenant, customer, id) DO UPDATE SET burned = EXCLUDED.burned, expired = EXCLUDED.expired, voided = EXCLUDED.voided
          WHERE (credits.burned, credits.expired, credits.voided) IS DISTINCT FROM (EXCLUDED.burned, EXCLUDED.expired, EXCLUDED.voided)`.execute(
          db,
        )
      }),

    get: (tenant, { customer, currency }) =>
      session.run(async (db) => (await accountsOf(db, tenant, [customer])).get(accountName(customer, currency)) ?? null),

    having: (tenant, id) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('credits')
          .select(['customer', 'currency'])
          .where('tenant', '=', tenant)
          .where('id', '=', id)
          .orderBy('customer')
          .execute()
        return rows.map(({ customer, currency }) => ({ customer: customer as CustomerKey, currency }))
      }),
  }
}

/** By `accountName`. Credits in the order in which they were made. */
export async function accountsOf(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  customers: readonly CustomerKey[],
): Promise<ReadonlyMap<string, BillingAccount>> {
  const ofCustomers = sql<string>`ANY(${[...customers]})`
  const accounts = await db
    .selectFrom('billing_accounts')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('customer', '=', ofCustomers)
    .execute()
  const credits = await db
    .selectFrom('credits')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('customer', '=', ofCustomers)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  const byAccount = Map.groupBy(credits, ({ customer, currency }) => accountName(customer as CustomerKey, currency))
  return new Map(
    accounts.map(({ customer, currency, balance, version }) => {
      const name = accountName(customer as CustomerKey, currency)
      return [name, { balance: moneyOf(balance), version, credits: (byAccount.get(name) ?? []).map(creditOf) }]
    }),
  )
}

function creditOf(row: Selectable<DatabaseTables['credits']>): Credit {
  return {
    ...{ id: row.id, amount: moneyOf(row.amount), paid: moneyOf(row.paid), priority: row.priority },
    effectiveAtMs: row.effective_at.getTime() as InstantMs,
    expiresAtMs: row.expires_at === null ? null : (row.expires_at.getTime() as InstantMs),
    createdAtMs: row.created_at.getTime() as InstantMs,
    appliesTo: row.applies_to,
    ...{ burned: moneyOf(row.burned), expired: moneyOf(row.expired), voided: moneyOf(row.voided) },
  }
}

function rowOf(customer: CustomerKey, currency: string, credit: Credit) {
  const { id, amount, paid, priority, effectiveAtMs, expiresAtMs, createdAtMs, appliesTo, burned, expired, voided } = credit
  return {
    ...{ customer, id, currency, amount: String(amount), paid: String(paid), priority, applies_to: appliesTo },
    effective_at: new Date(effectiveAtMs).toISOString(),
    expires_at: expiresAtMs === null ? null : new Date(expiresAtMs).toISOString(),
    created_at: new Date(createdAtMs).toISOString(),
    ...{ burned: String(burned), expired: String(expired), voided: String(voided) },
  }
}

function moneyOf(text: string): Money {
  return BigInt(text) as Money
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
