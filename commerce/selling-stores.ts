import type { BillingInputsReader } from '../adapters/database/billing-inputs/billing-inputs-reader.ts'
import type { CheckoutStore } from '../adapters/database/checkouts/checkout-store.ts'
import type { CustomerStore } from '../adapters/database/customers/customer-store.ts'
import type { HoldingStore } from '../adapters/database/holdings/holding-store.ts'
import type { InTransaction } from '../adapters/database/in-transaction.ts'
import type { LicensePolicyStore } from '../adapters/database/license-policies/license-policy-store.ts'
import type { LicenseStore } from '../adapters/database/licenses/license-store.ts'
import type { OrderStore } from '../adapters/database/orders/order-store.ts'
import type { PaymentAttemptStore } from '../adapters/database/payment-attempts/payment-attempt-store.ts'
import type { PlanStore } from '../adapters/database/plans/plan-store.ts'
import type { DocumentStores } from '../billing/documents/pay-invoice.ts'

/** What a sale writes, together or not at all: the book, the order, what is handed over, and who is told. */
export type SellingStores = DocumentStores & {
  readonly inputs: BillingInputsReader
  readonly plans: PlanStore
  readonly customers: CustomerStore
  readonly checkouts: CheckoutStore
  readonly attempts: PaymentAttemptStore
  readonly orders: OrderStore
  readonly holdings: HoldingStore
  readonly licenses: LicenseStore
  readonly policies: LicensePolicyStore
}

export type WriteSale = InTransaction<SellingStores>
