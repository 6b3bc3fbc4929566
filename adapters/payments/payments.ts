import type { Money } from '../../domain/billing/money.ts'
import type { TenantKey } from '../../domain/identity.ts'
import type { Outcome } from '../../domain/refusal.ts'
import type { PaymentNotice } from '../../domain/selling/payment-attempt.ts'

/**
 * Whoever collects money; one for the installation. Each call carries the attempt's id as its idempotency key: a repeat is the same
 * payment. A call that cannot be made is a `Fault`: `payments_unavailable` (canRetry).
 */
export type PaymentProvider = {
  readonly name: 'manual' | 'test' | 'stripe'
  /** The least that it takes in a currency; null where it takes any amount. */
  leastAmount(currency: string): Money | null
  /** Begins a payment, and says where the visitor pays. */
  prepare(payment: WantedPayment): Promise<PreparedPayment>
  /** Gives money of a payment back. `total` is all that went back by then, this time included. */
  giveBack(payment: PaidAttempt, total: Money): Promise<void>
  /** What a notice says, by its raw bytes. Refuses `bad_signature`. */
  readNotices(notice: RawNotice): Promise<Outcome<readonly ProviderNotice[]>>
}

export type WantedPayment = {
  readonly attempt: string
  readonly tenant: TenantKey
  readonly amount: Money
  readonly currency: string
  /** What is bought, for the provider's page. */
  readonly description: string
  readonly email: string | null
  /** Where the visitor comes back to, paid or not. */
  readonly returnUrl: string
}

/** `transfer`: there is no page, the document says how to pay. */
export type PreparedPayment = { readonly kind: 'page'; readonly url: string; readonly reference: string } | { readonly kind: 'transfer' }

export type PaidAttempt = { readonly attempt: string; readonly reference: string | null; readonly currency: string }

export type RawNotice = { readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>; readonly bytes: Buffer }

/** `tenant` is the one that the payment was made for, as the provider kept it. */
export type ProviderNotice = PaymentNotice & { readonly tenant: TenantKey }
