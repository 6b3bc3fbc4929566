import type { ChangeFeed } from '../../adapters/database/changes.ts'
import type { TenantSettingsStore } from '../../adapters/database/tenant-settings/tenant-settings-store.ts'
import { createInvalidatingCache } from '../../base/invalidating-cache.ts'
import { type MaybePromise, whenKnown } from '../../base/maybe-promise.ts'
import type { TenantKey } from '../../domain/identity.ts'

/** Whether pages of a site may call for a tenant; at once when the tenant's settings are known. */
export type IsListedOrigin = (tenant: TenantKey, origin: string) => MaybePromise<boolean>

const TENANTS_MAX = 10_000

export function openListedOrigins(settings: Pick<TenantSettingsStore, 'get'>, feed: Pick<ChangeFeed, 'subscribe'>): IsListedOrigin {
  const origins = createInvalidatingCache(TENANTS_MAX, async (tenant: TenantKey) => new Set((await settings.get(tenant)).origins))
  feed.subscribe({ topics: ['tenantSettings'], changed: ({ tenant }) => origins.forget(tenant, ''), missed: origins.forgetAll })
  return (tenant, origin) => whenKnown(origins.get(tenant, '') ?? origins.load(tenant, ''), (listed) => listed.has(origin))
}
