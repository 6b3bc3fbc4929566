import type { CustomerKey } from '../identity.ts'

export type Customer = {
  readonly key: CustomerKey
  readonly name: string | null
  readonly email: string | null
  readonly subjects: readonly string[]
  readonly metadata: Readonly<Record<string, unknown>>
} & CustomerBilling

/** How the customer is billed, where it is not as the tenant's settings say. What is absent is as they say. */
export type CustomerBilling = {
  /** Of documents that no plan gives one. */
  readonly currency?: string
  /** Keys. */
  readonly taxRates?: readonly string[]
  readonly taxExempt?: boolean
  readonly taxId?: string
  readonly address?: string
  readonly graceMs?: number
  readonly dueDays?: number
}
