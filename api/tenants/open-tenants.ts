import type { TenantSettingsStore } from '../../adapters/database/tenant-settings/tenant-settings-store.ts'
import type { Stage } from '../../schemas/http/stage.ts'
import { refuseUnstorableBodies } from '../../schemas/http/storable-text.ts'
import { settingsRoutes } from './settings-routes.ts'

export type TenantKit = { readonly stores: { readonly tenantSettings: TenantSettingsStore } }

export function openTenants({ stores }: TenantKit): Stage {
  return {
    name: 'tenants',
    async routes(app) {
      refuseUnstorableBodies(app)
      await settingsRoutes({ settings: stores.tenantSettings })(app)
    },
  }
}
