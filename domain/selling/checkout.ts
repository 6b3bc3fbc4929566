import type { CustomerKey, InstantMs, PlanKey } from '../identity.ts'

export const CHECKOUT_STATUSES = ['open', 'processing', 'complete', 'expired'] as const
export type CheckoutStatus = (typeof CHECKOUT_STATUSES)[number]

/** What was asked for and typed. The plan's version is fixed for the checkout's life. */
export type CheckoutAsk = {
  /** Named by a secret key, or proved: its balance and terms are used. Null: whoever pays becomes a new guest. */
  readonly customer: CustomerKey | null
  readonly email: string | null
  readonly name: string | null
  /** ISO 3166, two letters. */
  readonly country: string | null
  readonly taxId: string | null
  readonly quantity: number
  readonly currency: string
  /** What a unit costs, where the visitor names it. */
  readonly amount: string | null
  readonly coupon: string | null
  readonly successUrl: string | null
  readonly cancelUrl: string | null
  readonly metadata: Readonly<Record<string, unknown>>
}

export type Checkout = {
  readonly id: string
  readonly status: CheckoutStatus
  readonly plan: PlanKey
  readonly planVersion: number
  readonly asked: CheckoutAsk
  /** The totals that were confirmed. */
  readonly decided: unknown
  /** SHA-256 of the cookie of the browser that confirmed. */
  readonly browser: string | null
  readonly order: string | null
  readonly createdMs: InstantMs
  readonly expiresMs: InstantMs
  readonly completedMs: InstantMs | null
}
