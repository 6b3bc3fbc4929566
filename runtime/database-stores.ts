import { sqlAlertStore } from '../adapters/database/alerts/alert-store.ts'
import { sqlAllowanceOpeningStore } from '../adapters/database/allowance-openings/allowance-opening-store.ts'
import { sqlAuditStore } from '../adapters/database/audit/audit-store.ts'
import { sqlCompatRecordStore } from '../adapters/database/compat/compat-record-store.ts'
import { sqlConsoleSessionStore } from '../adapters/database/console-sessions/console-session-store.ts'
import { sqlCustomerExportReader } from '../adapters/database/customer-exports/customer-export-reader.ts'
import { sqlCustomerTokenStore } from '../adapters/database/customer-tokens/customer-token-store.ts'
import { sqlAdoptionStore } from '../adapters/database/customers/adoption-store.ts'
import { sqlCustomerStore } from '../adapters/database/customers/customer-store.ts'
import type { DatabaseSession } from '../adapters/database/database-session.ts'
import { sqlEntitlementInputsReader } from '../adapters/database/entitlements/entitlement-inputs-reader.ts'
import { sqlFeatureStore } from '../adapters/database/features/feature-store.ts'
import { sqlGrantStore } from '../adapters/database/grants/grant-store.ts'
import { sqlIdempotencyStore } from '../adapters/database/idempotency/idempotency-store.ts'
import { sqlInvoiceInputsReader } from '../adapters/database/invoices/invoice-inputs-reader.ts'
import { sqlApiKeyStore } from '../adapters/database/keys/api-key-store.ts'
import { sqlMeterStore } from '../adapters/database/meters/meter-store.ts'
import { sqlModelCostStore } from '../adapters/database/model-costs/model-cost-store.ts'
import { sqlTimedMessageStore } from '../adapters/database/outbox/timed-message-store.ts'
import { sqlOverrideStore } from '../adapters/database/overrides/override-store.ts'
import { sqlPlanStore } from '../adapters/database/plans/plan-store.ts'
import { sqlProductStore } from '../adapters/database/products/product-store.ts'
import { sqlResetStore } from '../adapters/database/resets/reset-store.ts'
import { sqlSubscriptionStore } from '../adapters/database/subscriptions/subscription-store.ts'
import { sqlTaxRateStore } from '../adapters/database/tax-rates/tax-rate-store.ts'
import { sqlTenantSettingsStore } from '../adapters/database/tenant-settings/tenant-settings-store.ts'
import { sqlWebhookDeliveryStore } from '../adapters/database/webhooks/webhook-delivery-store.ts'
import { sqlWebhookEndpointStore } from '../adapters/database/webhooks/webhook-endpoint-store.ts'
import { billingStores } from './billing-stores.ts'
import { sellingStores } from './selling-stores.ts'

export type DatabaseStores = ReturnType<typeof databaseStores>

/** Stores that several stages read, or write together. A store that only one stage uses stands with that stage in the list of stages. */
export function databaseStores(session: DatabaseSession) {
  return {
    keys: sqlApiKeyStore(session),
    meters: sqlMeterStore(session),
    modelCosts: sqlModelCostStore(session),
    features: sqlFeatureStore(session),
    products: sqlProductStore(session),
    plans: sqlPlanStore(session),
    customers: sqlCustomerStore(session),
    adoptions: sqlAdoptionStore(session),
    subscriptions: sqlSubscriptionStore(session),
    overrides: sqlOverrideStore(session),
    grants: sqlGrantStore(session),
    resets: sqlResetStore(session),
    allowanceOpenings: sqlAllowanceOpeningStore(session),
    idempotency: sqlIdempotencyStore(session),
    entitlementInputs: sqlEntitlementInputsReader(session),
    invoiceInputs: sqlInvoiceInputsReader(session),
    billing: billingStores(session),
    selling: sellingStores(session),
    taxRates: sqlTaxRateStore(session),
    audit: sqlAuditStore(session),
    customerTokens: sqlCustomerTokenStore(session),
    customerExports: sqlCustomerExportReader(session),
    tenantSettings: sqlTenantSettingsStore(session),
    compatRecords: sqlCompatRecordStore(session),
    alerts: sqlAlertStore(session),
    timedMessages: sqlTimedMessageStore(session),
    webhookEndpoints: sqlWebhookEndpointStore(session),
    webhookDeliveries: sqlWebhookDeliveryStore(session),
    consoleSessions: sqlConsoleSessionStore(session),
  }
}
