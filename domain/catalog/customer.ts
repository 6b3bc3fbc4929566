import type { CustomerKey } from '../identity.ts'
import type { ArchivableTimes } from './record-times.ts'

export type Customer = {
  readonly key: CustomerKey
  readonly name: string | null
  readonly email: string | null
  readonly subjects: readonly string[]
  readonly metadata: Readonly<Record<string, unknown>>
} & CustomerBilling

export type CustomerRecord = Customer & ArchivableTimes

/** How the customer is billed where it differs from the tenant's settings. Absent fields follow the settings. */
export type CustomerBilling = {
  /** Currency of documents without a plan. */
  readonly currency?: string
  /** Keys of tax rates. */
  readonly taxRates?: readonly string[]
  readonly taxExempt?: boolean
  readonly taxId?: string
  readonly address?: string
  readonly graceMs?: number
  readonly dueDays?: number
  /** IANA name. Subscriptions and overrides that begin later count their calendar periods in it. Absent: UTC. */
  readonly timezone?: string
}
