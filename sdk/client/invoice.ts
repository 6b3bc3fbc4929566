export type InvoiceQuery = {
  readonly customer?: string
  readonly subscription?: string
  readonly status?: Invoice['status']
  /** Documents that close at this instant or later. */
  readonly from?: Date | string
  /** Documents that close before this instant. */
  readonly to?: Date | string
  /** Documents of one request; default 100. */
  readonly pageSize?: number
}

/** An invoice or credit note, frozen once final. Money is exact decimal text in `currency`. */
export type Invoice = {
  readonly id: string
  readonly document: 'invoice' | 'creditNote'
  readonly kind: string
  readonly number: string | null
  readonly status: 'draft' | 'finalised' | 'paid' | 'nothingDue' | 'uncollectible' | 'void'
  readonly customer: string
  readonly subscription: string | null
  readonly currency: string
  readonly closesAt: string
  readonly finalisedAt: string | null
  readonly dueAt: string | null
  readonly lines: readonly InvoiceLine[]
  readonly subtotal: string
  readonly discount: string
  readonly credits: string
  readonly net: string
  readonly tax: string
  /** What comes back, above zero, on a credit note. */
  readonly total: string
  readonly balanceApplied: string
  /** What is still due. */
  readonly due: string
  readonly paid: string
}

export type InvoiceLine = {
  readonly line: string
  readonly kind: 'base' | 'usage' | 'trueUp' | 'unused' | 'adjustment' | 'manual' | 'topUp'
  readonly item?: string
  readonly feature?: string
  readonly plan?: string
  readonly planVersion?: number
  readonly from: string
  readonly to: string
  readonly quantity?: string
  readonly unit?: string
  /** Not rounded. */
  readonly exact?: string
  readonly amount: string
  readonly discount: string
  readonly credits: string
  readonly net: string
  readonly tax: string
}

export type UpcomingInvoice = {
  readonly subscription: string
  readonly plan: string
  readonly planVersion: number
  readonly currency: string
  /** Half-open; the end is null for a plan that is paid once. */
  readonly period: { readonly start: string; readonly end: string | null }
  readonly lines: readonly {
    readonly kind: 'base' | 'usage' | 'trueUp'
    readonly charge?: string
    readonly feature?: string
    readonly quantity: string
    readonly amount: string
    readonly exact: string
  }[]
  readonly total: string
}
