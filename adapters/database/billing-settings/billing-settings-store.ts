import { type Kysely, sql } from 'kysely'
import { TENANT_BILLING_SETTINGS_DEFAULT, type TenantBillingSettings } from '../../../domain/billing/billing-settings.ts'
import type { TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'

export type BillingSettingsStore = {
  /** All subscriptions are due at once: when their next document can be final may be another instant now. */
  put(tenant: TenantKey, settings: TenantBillingSettings): Promise<void>
  /** The defaults when none were put. */
  get(tenant: TenantKey): Promise<TenantBillingSettings>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    billing_settings: { tenant: string; settings: Json<Partial<TenantBillingSettings>> }
  }
}

export function sqlBillingSettingsStore(session: DatabaseSession): BillingSettingsStore {
  return {
    put: (tenant, settings) =>
      session.write(async ({ db }) => {
        const columns = { settings: JSON.stringify(settings) }
        await db
          .insertInto('billing_settings')
          .values({ tenant, ...columns })
          .onConflict((conflict) => conflict.column('tenant').doUpdateSet(columns))
          .execute()
        const now = new Date(session.clock.now())
        await sql`UPDATE billing_cursors SET next_due_at = ${now} WHERE tenant = ${tenant} AND next_due_at > ${now}`.execute(db)
      }),
    get: (tenant) => session.run((db) => billingSettingsOf(db, tenant)),
  }
}

export async function billingSettingsOf(db: Kysely<DatabaseTables>, tenant: TenantKey): Promise<TenantBillingSettings> {
  const row = await db.selectFrom('billing_settings').select('settings').where('tenant', '=', tenant).executeTakeFirst()
  return { ...TENANT_BILLING_SETTINGS_DEFAULT, ...row?.settings }
}
