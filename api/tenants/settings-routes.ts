import type { TenantSettingsStore } from '../../adapters/database/tenant-settings/tenant-settings-store.ts'
import { orThrow } from '../../domain/refusal.ts'
import { TENANT_SETTINGS_DEFAULT, type TenantSettings } from '../../domain/tenant-settings.ts'
import { REFUSALS } from '../../schemas/http/catalog.ts'
import type { HttpApp } from '../../schemas/http/common.ts'
import { TenantSettingsInputSchema, TenantSettingsSchema } from '../../schemas/http/tenant-settings.ts'
import { wrongOrigins } from './wrong-origins.ts'

export function settingsRoutes({ settings }: { readonly settings: TenantSettingsStore }): (app: HttpApp) => Promise<void> {
  return async (app) => {
    app.put('/v1/settings', { config: { scope: 'admin' }, schema: PUT_SETTINGS }, async (request) => {
      const put: TenantSettings = { ...TENANT_SETTINGS_DEFAULT, ...request.body }
      orThrow(wrongOrigins(put.origins))
      await settings.put(request.principal.tenant, put)
      return settingsJson(put)
    })
    app.get('/v1/settings', { config: { scope: 'admin' }, schema: GET_SETTINGS }, async (request) =>
      settingsJson(await settings.get(request.principal.tenant)),
    )
  }
}

function settingsJson(settings: TenantSettings) {
  return { ...settings, origins: [...settings.origins], returnUrls: [...settings.returnUrls] }
}

const TAGS = { tags: ['settings'] }

const PUT_SETTINGS = {
  ...TAGS,
  operationId: 'putSettings',
  summary: 'What this tenant sets for itself; what is left out has its default',
  body: TenantSettingsInputSchema,
  response: { 200: TenantSettingsSchema, ...REFUSALS },
}
const GET_SETTINGS = {
  ...TAGS,
  operationId: 'getSettings',
  summary: 'What this tenant has set for itself',
  response: { 200: TenantSettingsSchema, ...REFUSALS },
}
