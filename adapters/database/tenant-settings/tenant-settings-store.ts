import type { TenantKey } from '../../../domain/identity.ts'
import { TENANT_SETTINGS_DEFAULT, type TenantSettings } from '../../../domain/tenant-settings.ts'
import type { DatabaseSession, Json } from '../database-session.ts'

export type TenantSettingsStore = {
  put(tenant: TenantKey, settings: TenantSettings): Promise<void>
  /** The defaults when none were put. */
  get(tenant: TenantKey): Promise<TenantSettings>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    tenant_settings: { tenant: string; settings: Json<Partial<TenantSettings>> }
  }
}

declare module '../changes.ts' {
  interface Topics {
    /** By the tenant's own key. */
    tenantSettings: TenantKey
  }
}

export function sqlTenantSettingsStore(session: DatabaseSession): TenantSettingsStore {
  return {
    put: (tenant, settings) =>
      session.write(async ({ db, announce }) => {
        const columns = { settings: JSON.stringify(settings) }
        await db
          .insertInto('tenant_settings')
          .values({ tenant, ...columns })
          .onConflict((conflict) => conflict.column('tenant').doUpdateSet(columns))
          .execute()
        announce({ tenant, topic: 'tenantSettings', key: tenant })
      }),
    get: (tenant) =>
      session.run(async (db) => {
        const row = await db.selectFrom('tenant_settings').select('settings').where('tenant', '=', tenant).executeTakeFirst()
        return { ...TENANT_SETTINGS_DEFAULT, ...row?.settings }
      }),
  }
}
