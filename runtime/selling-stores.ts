import { sqlBillingInputsReader } from '../adapters/database/billing-inputs/billing-inputs-reader.ts'
import { sqlCheckoutStore } from '../adapters/database/checkouts/checkout-store.ts'
import { sqlCustomerStore } from '../adapters/database/customers/customer-store.ts'
import type { DatabaseSession } from '../adapters/database/database-session.ts'
import { sqlDownloadStore } from '../adapters/database/downloads/download-store.ts'
import { sqlHoldingStore } from '../adapters/database/holdings/holding-store.ts'
import { inTransaction } from '../adapters/database/in-transaction.ts'
import { sqlLicensePolicyStore } from '../adapters/database/license-policies/license-policy-store.ts'
import { sqlLicenseSigningKeyStore } from '../adapters/database/license-signing-keys/license-signing-key-store.ts'
import { sqlLicenseStore } from '../adapters/database/licenses/license-store.ts'
import { sqlOrderStore } from '../adapters/database/orders/order-store.ts'
import { sqlPaymentAttemptStore } from '../adapters/database/payment-attempts/payment-attempt-store.ts'
import { sqlPlanStore } from '../adapters/database/plans/plan-store.ts'
import { bookStores } from './billing-stores.ts'

/** Selling: its stores, and `write`, which has them and the book in one transaction. */
export function sellingStores(session: DatabaseSession) {
  return {
    ...saleStores(session),
    downloads: sqlDownloadStore(session),
    signingKeys: sqlLicenseSigningKeyStore(session),
    write: inTransaction(session, saleStores),
    randomBytes: session.randomBytes,
  }
}

function saleStores(session: DatabaseSession) {
  return {
    ...bookStores(session),
    inputs: sqlBillingInputsReader(session),
    plans: sqlPlanStore(session),
    customers: sqlCustomerStore(session),
    checkouts: sqlCheckoutStore(session),
    attempts: sqlPaymentAttemptStore(session),
    orders: sqlOrderStore(session),
    holdings: sqlHoldingStore(session),
    licenses: sqlLicenseStore(session),
    policies: sqlLicensePolicyStore(session),
  }
}
