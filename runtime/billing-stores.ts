import { sqlAnalystChangeStore } from '../adapters/database/analyst-changes/analyst-change-store.ts'
import { sqlAnalystRowsReader } from '../adapters/database/analyst-rows/analyst-rows-reader.ts'
import { sqlBillingCursorStore } from '../adapters/database/billing-cursors/billing-cursor-store.ts'
import { sqlBillingInputsReader } from '../adapters/database/billing-inputs/billing-inputs-reader.ts'
import { type BillingRunStore, sqlBillingRunStore } from '../adapters/database/billing-runs/billing-run-store.ts'
import { sqlBillingSettingsStore } from '../adapters/database/billing-settings/billing-settings-store.ts'
import { sqlBookAuditReader } from '../adapters/database/book-audit/book-audit-reader.ts'
import { sqlBookExportReader } from '../adapters/database/book-exports/book-export-reader.ts'
import { sqlBookMonthReader } from '../adapters/database/book-months/book-month-reader.ts'
import { sqlClosedPartStore } from '../adapters/database/closed-parts/closed-part-store.ts'
import { sqlCouponStore } from '../adapters/database/coupons/coupon-store.ts'
import { sqlCreditStore } from '../adapters/database/credits/credit-store.ts'
import type { DatabaseSession } from '../adapters/database/database-session.ts'
import { inTransaction } from '../adapters/database/in-transaction.ts'
import { sqlInvoiceDraftStore } from '../adapters/database/invoice-drafts/invoice-draft-store.ts'
import { sqlSubscriptionDraftStore } from '../adapters/database/invoice-drafts/subscription-draft-store.ts'
import { sqlInvoiceStore } from '../adapters/database/invoices/invoice-store.ts'
import { sqlLedgerStore } from '../adapters/database/ledger/ledger-store.ts'
import { sqlOutboxStore } from '../adapters/database/outbox/outbox-store.ts'
import { sqlPaymentStore } from '../adapters/database/payments/payment-store.ts'
import { sqlWalletStore } from '../adapters/database/wallets/wallet-store.ts'
import type { BillingRun } from '../billing/runs/billing-runs.ts'

/** The book: its stores, and `write`, which has them in one transaction. */
export function billingStores(session: DatabaseSession) {
  const runs: BillingRunStore<BillingRun> = sqlBillingRunStore(session)
  return {
    ...bookStores(session),
    runs,
    inputs: sqlBillingInputsReader(session),
    settings: sqlBillingSettingsStore(session),
    audit: sqlBookAuditReader(session),
    exports: sqlBookExportReader(session),
    analystChanges: sqlAnalystChangeStore(session),
    analystRows: sqlAnalystRowsReader(session),
    months: sqlBookMonthReader(session),
    wallets: sqlWalletStore(session),
    write: inTransaction(session, bookStores),
  }
}

export function bookStores(session: DatabaseSession) {
  return {
    cursors: sqlBillingCursorStore(session),
    closedParts: sqlClosedPartStore(session),
    credits: sqlCreditStore(session),
    coupons: sqlCouponStore(session),
    ledger: sqlLedgerStore(session),
    invoices: sqlInvoiceStore(session),
    drafts: sqlInvoiceDraftStore(session),
    subscriptionDrafts: sqlSubscriptionDraftStore(session),
    outbox: sqlOutboxStore(session),
    payments: sqlPaymentStore(session),
  }
}
