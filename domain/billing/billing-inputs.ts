import type { Customer } from '../catalog/customer.ts'
import type { CustomerKey, SubscriptionId } from '../identity.ts'
import type { BillingBook } from './billing-book.ts'
import type { TenantBillingSettings } from './billing-settings.ts'
import type { CouponDefinition } from './coupon-definition.ts'
import type { Credit } from './credit.ts'
import type { SubscriptionDraft } from './invoice-draft.ts'
import type { InvoiceInputs } from './invoice-inputs.ts'
import type { Money } from './money.ts'
import type { TaxRate } from './tax-rate.ts'

/** Everything that decides the documents of some customers, read at one moment. All of their subscriptions are here, as they share what they pay with. */
export type BillingInputs = InvoiceInputs & {
  readonly settings: TenantBillingSettings
  readonly customers: ReadonlyMap<CustomerKey, Customer>
  readonly books: ReadonlyMap<SubscriptionId, BillingBook>
  /** By `accountName`; a customer without one has nothing yet. */
  readonly accounts: ReadonlyMap<string, BillingAccount>
  readonly coupons: ReadonlyMap<string, CouponDefinition>
  /** On how many documents a coupon gave something, by `couponUseName`. */
  readonly couponUses: ReadonlyMap<string, number>
  readonly taxRates: ReadonlyMap<string, TaxRate>
  /** What people added to drafts; a subscription without any is absent. */
  readonly drafts: ReadonlyMap<SubscriptionId, readonly SubscriptionDraft[]>
}

/** A customer's money in one currency. `version` goes up with each change, so that two decisions are not made from one state. */
export type BillingAccount<C extends string = string> = {
  readonly balance: Money<C>
  readonly credits: readonly Credit<C>[]
  readonly version: number
}

export function accountName(customer: CustomerKey, currency: string): string {
  return `${currency} ${customer}`
}

export function couponUseName(subscription: SubscriptionId, coupon: string): string {
  return `${subscription} ${coupon}`
}

/** A part of a subscription: no two begin at one instant. */
export function partName(subscription: string, startMs: number): string {
  return `${startMs} ${subscription}`
}
