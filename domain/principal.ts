import type { TenantKey } from './identity.ts'

export const SCOPES = ['ingest', 'read', 'decide', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** Who a request comes from. `admin` includes every other scope. */
export type Principal = { readonly keyId: string; readonly tenant: TenantKey; readonly scopes: readonly Scope[] }
