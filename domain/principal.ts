import type { TenantKey } from './identity.ts'

/**
 * `manage`: customers, subscriptions, grants, overrides, resets, holds. `billing`: invoices, credits and what decides them.
 * `admin` includes every other scope.
 */
export const SCOPES = ['ingest', 'read', 'decide', 'manage', 'billing', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** Who a request comes from. */
export type Principal = { readonly keyId: string; readonly tenant: TenantKey; readonly scopes: readonly Scope[] }

/** Whether the principal may do what any of these scopes allows. */
export function hasScope({ scopes }: Pick<Principal, 'scopes'>, anyOf: Scope | readonly Scope[]): boolean {
  if (scopes.includes('admin')) return true
  return typeof anyOf === 'string' ? scopes.includes(anyOf) : anyOf.some((scope) => scopes.includes(scope))
}
