import { openAggregator } from '../aggregator/open-aggregator.ts'
import { openAlerts } from '../alerts/thresholds/open-alerts.ts'
import { openThresholds } from '../alerts/thresholds/open-thresholds.ts'
import { openWebhooks } from '../alerts/webhooks/open-webhooks.ts'
import { openAdoptions } from '../api/adoptions/open-adoptions.ts'
import { openAudit } from '../api/audit/open-audit.ts'
import { openBalances } from '../api/balances/open-balances.ts'
import { openBulk } from '../api/bulk/open-bulk.ts'
import { openCatalog } from '../api/catalog/open-catalog.ts'
import { openDecisions } from '../api/decisions/open-decisions.ts'
import { openKeys } from '../api/keys/open-keys.ts'
import { openMe } from '../api/me/open-me.ts'
import { openModelCosts } from '../api/model-costs/open-model-costs.ts'
import { openPresets } from '../api/presets/open-presets.ts'
import { openReservations } from '../api/reservations/open-reservations.ts'
import { openTenants } from '../api/tenants/open-tenants.ts'
import { openUsage } from '../api/usage/open-usage.ts'
import { openCoupons } from '../billing/coupons/open-coupons.ts'
import { openCreditNotes } from '../billing/credit-notes/open-credit-notes.ts'
import { openCredits } from '../billing/credits/open-credits.ts'
import { openDocuments } from '../billing/documents/open-documents.ts'
import { openDrafts } from '../billing/drafts/open-drafts.ts'
import { openExports } from '../billing/exports/open-exports.ts'
import { openInvoices } from '../billing/invoices/open-invoices.ts'
import { openMonths } from '../billing/months/open-months.ts'
import { openPreviews } from '../billing/previews/open-previews.ts'
import { openBillingRuns } from '../billing/runs/open-billing-runs.ts'
import { openBillingSettings } from '../billing/settings/open-billing-settings.ts'
import { openTables } from '../billing/tables/open-tables.ts'
import { openTaxRates } from '../billing/tax-rates/open-tax-rates.ts'
import { openWhatIf } from '../billing/what-if/open-what-if.ts'
import { openCompat } from '../compat/open-compat.ts'
import { openCustomerExports } from '../custody/exports/open-customer-exports.ts'
import { openIngest } from '../ingest/open-ingest.ts'
import type { Stage } from '../schemas/http/stage.ts'
import type { Kit } from './kit.ts'
import { openSelling } from './open-selling.ts'
import type { Role } from './settings/setting.ts'

type OpenStage = (kit: Kit) => Stage

/**
 * Every stage, by the role that runs it; a new capability is one line here. They start in this order and stop in reverse: the
 * aggregator stops last, so that events that the others append while they stop are still counted.
 */
const STAGES = {
  aggregator: [openAggregator, openThresholds],
  ingest: [openIngest],
  api: [
    openDecisions,
    openBalances,
    openReservations,
    openUsage,
    openCatalog,
    openBulk,
    openAdoptions,
    openKeys,
    openMe,
    openTenants,
    openAudit,
    openCustomerExports,
    openCompat,
    openModelCosts,
    openPresets,
  ],
  billing: [
    openInvoices,
    openDocuments,
    openDrafts,
    openPreviews,
    openWhatIf,
    openBillingRuns,
    openCredits,
    ({ stores }) => openExports(stores.billing.exports),
    openTables,
    ({ stores }) => openMonths(stores.billing),
    openCreditNotes,
    ({ stores }) => openCoupons(stores.billing.coupons),
    ({ stores }) => openTaxRates(stores.taxRates),
    ({ stores }) => openBillingSettings({ settings: stores.billing.settings, taxRates: stores.taxRates }),
  ],
  alerts: [openWebhooks, openAlerts],
  commerce: [openSelling],
} satisfies Record<Role, readonly OpenStage[]>

/** The stages of these roles, in the order of their start; none is started yet. */
export function openStages(kit: Kit, roles: readonly Role[]): readonly Stage[] {
  return Object.entries<readonly OpenStage[]>(STAGES).flatMap(([role, open]) =>
    roles.some((wanted) => wanted === role) ? open.map((openStage) => openStage(kit)) : [],
  )
}
