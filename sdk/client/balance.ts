/** What a customer has left of one feature. Quantities are exact decimal strings. */
export type Balance = {
  readonly feature: string
  readonly type: 'metered' | 'boolean' | 'config'
  readonly hasAccess: boolean
  readonly limit: string | null
  readonly limitType: 'hard' | 'soft' | null
  readonly used: string
  readonly held: string
  readonly remaining: string | null
  readonly overage: string
  readonly period: { readonly start: string; readonly end: string } | null
  readonly value?: unknown
}
