import type { Money } from '../billing/money.ts'
import type { CustomerKey, InstantMs, PlanKey } from '../identity.ts'

export const ORDER_STATUSES = ['pending', 'paid', 'partiallyRefunded', 'disputed', 'refunded', 'canceled'] as const
export type OrderStatus = (typeof ORDER_STATUSES)[number]

/** The status of an order whose money came. */
export function orderStatus(paid: Money, refunded: Money, isDisputed: boolean): OrderStatus {
  if (refunded >= paid && refunded > 0n) return 'refunded'
  if (isDisputed) return 'disputed'
  return refunded > 0n ? 'partiallyRefunded' : 'paid'
}

/** A one-time purchase. */
export type Order = {
  readonly id: string
  readonly customer: CustomerKey
  readonly plan: PlanKey
  readonly planVersion: number
  readonly quantity: number
  readonly currency: string
  readonly status: OrderStatus
  readonly invoice: string | null
  readonly checkout: string | null
  readonly paid: Money
  /** What went back. */
  readonly refunded: Money
  readonly isDisputed: boolean
  readonly metadata: Readonly<Record<string, unknown>>
  readonly createdMs: InstantMs
  readonly paidMs: InstantMs | null
  /** Its entitlements hold in between, half-open; null before the payment, and without an end. */
  readonly startMs: InstantMs | null
  readonly endMs: InstantMs | null
}
