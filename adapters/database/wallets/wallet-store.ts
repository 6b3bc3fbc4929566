import { WALLET_TERMS_DEFAULT, type WalletTerms } from '../../../domain/billing/wallet-terms.ts'
import type { TenantKey } from '../../../domain/identity.ts'
import type { AccountKey } from '../credits/credit-store.ts'
import type { DatabaseSession, Json } from '../database-session.ts'
import { exactJson, fromExactJson } from '../exact-json.ts'

/** Terms of customers' credits, in each currency. */
export type WalletStore = {
  put(tenant: TenantKey, wallet: AccountKey, terms: WalletTerms): Promise<void>
  /** The defaults when none were put. */
  get(tenant: TenantKey, wallet: AccountKey): Promise<WalletTerms>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    wallets: { tenant: string; customer: string; currency: string; terms: Json<unknown> }
  }
}

export function sqlWalletStore(session: DatabaseSession): WalletStore {
  return {
    put: (tenant, { customer, currency }, terms) =>
      session.write(async ({ db }) => {
        const columns = { terms: exactJson(terms) }
        await db
          .insertInto('wallets')
          .values({ tenant, customer, currency, ...columns })
          .onConflict((conflict) => conflict.columns(['tenant', 'customer', 'currency']).doUpdateSet(columns))
          .execute()
      }),
    get: (tenant, { customer, currency }) =>
      session.run(async (db) => {
        const row = await db
          .selectFrom('wallets')
          .select('terms')
          .where('tenant', '=', tenant)
          .where('customer', '=', customer)
          .where('currency', '=', currency)
          .executeTakeFirst()
        return row === undefined ? WALLET_TERMS_DEFAULT : fromExactJson<WalletTerms>(row.terms)
      }),
  }
}
