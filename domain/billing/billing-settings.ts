import type { CreditUnit } from './credit-unit.ts'

/** How a tenant bills. What a customer has of its own goes before it. */
export type TenantBillingSettings = {
  /** Documents that hold usage are made final this long after their period's end at the earliest. */
  readonly graceMs: number
  readonly dueDays: number
  /** Runs make documents final by the clock; without it only runs by hand do. */
  readonly autoFinalise: boolean
  /** A bill that comes to nothing is made too. */
  readonly issueZero: boolean
  /** How long after a part's end usage may come and is still billed by itself. */
  readonly lateWindowDays: number
  readonly invoicePrefix: string
  readonly creditNotePrefix: string
  /** Keys of tax rates of customers and charges that name none. */
  readonly taxRates: readonly string[]
  readonly seller: Seller | null
  readonly creditUnit: CreditUnit | null
}

/** As it stands on documents. */
export type Seller = {
  readonly name: string
  readonly address?: string
  readonly taxId?: string
  readonly footer?: string
}

export const TENANT_BILLING_SETTINGS_DEFAULT: TenantBillingSettings = {
  graceMs: 3_600_000,
  dueDays: 30,
  autoFinalise: true,
  issueZero: false,
  lateWindowDays: 35,
  invoicePrefix: 'INV-',
  creditNotePrefix: 'CN-',
  taxRates: [],
  seller: null,
  creditUnit: null,
}
