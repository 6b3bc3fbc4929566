import { invariant } from '../base/invariant.ts'
import type { CustomerKey, TenantKey } from './identity.ts'

/**
 * `manage`: customers, subscriptions, grants, overrides, resets, holds. `billing`: invoices, credits and what decides them.
 * `public`: what a page may call. `admin` includes every other scope.
 */
export const SCOPES = ['ingest', 'read', 'decide', 'manage', 'billing', 'admin', 'public'] as const
export type Scope = (typeof SCOPES)[number]

/** `secret` keys stay on servers; `publishable` ones may stand in a page. */
export const KEY_KINDS = ['secret', 'publishable'] as const
export type KeyKind = (typeof KEY_KINDS)[number]

/** What a customer token lets its holder do, about its customer alone. */
export const TOKEN_SCOPES = ['read', 'decide', 'portal'] as const
export type TokenScope = (typeof TOKEN_SCOPES)[number]

/** What a key is for alone. A list that is absent narrows nothing; an empty one is refused when the key is made. */
export type Narrowing = {
  readonly customers?: readonly string[]
  readonly eventTypes?: readonly string[]
  readonly features?: readonly string[]
}

/** Who a request comes from: the holder of a key, or of a customer token. */
export type Principal = {
  readonly keyId: string
  readonly tenant: TenantKey
  readonly scopes: readonly Scope[]
  /** Absent: secret. */
  readonly kind?: KeyKind
  /** Absent: the key is narrowed to nothing. */
  readonly only?: Narrowing
  /** Present for the holder of a customer token, who has no scopes of keys. */
  readonly token?: CustomerToken
}

export type CustomerToken = {
  readonly customer: CustomerKey
  readonly scopes: readonly TokenScope[]
  /** The sites whose pages may use it, within those of the tenant; null: all of those. */
  readonly origins: readonly string[] | null
}

/** Whether the principal may do what any of these scopes allows. */
export function hasScope({ scopes }: Pick<Principal, 'scopes'>, anyOf: Scope | readonly Scope[]): boolean {
  if (scopes.includes('admin')) return true
  return typeof anyOf === 'string' ? scopes.includes(anyOf) : anyOf.some((scope) => scopes.includes(scope))
}

/** The customer of a request that came with a customer token. */
export function tokenCustomer({ token }: Principal): CustomerKey {
  invariant(token !== undefined, 'only routes that need a customer token ask for its customer')
  return token.customer
}
