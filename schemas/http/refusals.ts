import type { RefusalCode } from '../../domain/refusal.ts'
import { ALERT_REFUSALS } from './refusals/alerts.ts'
import { ALLOWANCE_REFUSALS } from './refusals/allowances.ts'
import { BACKUP_REFUSALS } from './refusals/backups.ts'
import { BILLING_REFUSALS } from './refusals/billing.ts'
import { BROWSER_REFUSALS } from './refusals/browsers.ts'
import { BULK_REFUSALS } from './refusals/bulk.ts'
import { CATALOG_REFUSALS } from './refusals/catalog.ts'
import { EVENT_REFUSALS } from './refusals/events.ts'
import { KEY_REFUSALS } from './refusals/keys.ts'
import { MODEL_COST_REFUSALS } from './refusals/model-costs.ts'
import { PRICE_REFUSALS } from './refusals/prices.ts'
import type { RefusalRow } from './refusals/refusal-row.ts'
import { REQUEST_REFUSALS } from './refusals/requests.ts'
import { RESERVATION_REFUSALS } from './refusals/reservations.ts'
import { SELLING_REFUSALS } from './refusals/selling.ts'
import { SUBSCRIPTION_REFUSALS } from './refusals/subscriptions.ts'
import { USAGE_REFUSALS } from './refusals/usage.ts'
import { WEBHOOK_REFUSALS } from './refusals/webhooks.ts'

/** The tables of each capability, in the order of the error reference. A declared code that is missing here does not compile. */
export const REFUSAL_TABLES = [
  { title: 'Requests', rows: REQUEST_REFUSALS },
  { title: 'Keys', rows: KEY_REFUSALS },
  { title: 'Browsers', rows: BROWSER_REFUSALS },
  { title: 'Backups', rows: BACKUP_REFUSALS },
  { title: 'Events', rows: EVENT_REFUSALS },
  { title: 'Meters, features, plans, customers', rows: CATALOG_REFUSALS },
  { title: 'Many puts', rows: BULK_REFUSALS },
  { title: 'Prices', rows: PRICE_REFUSALS },
  { title: 'Subscriptions', rows: SUBSCRIPTION_REFUSALS },
  { title: 'Entitlements, grants, resets', rows: ALLOWANCE_REFUSALS },
  { title: 'Reservations', rows: RESERVATION_REFUSALS },
  { title: 'Usage', rows: USAGE_REFUSALS },
  { title: 'Billing', rows: BILLING_REFUSALS },
  { title: 'Webhooks', rows: WEBHOOK_REFUSALS },
  { title: 'Model costs', rows: MODEL_COST_REFUSALS },
  { title: 'Alerts', rows: ALERT_REFUSALS },
  { title: 'Selling', rows: SELLING_REFUSALS },
] as const

/** Every code once, with its status, its sentence and the next move. */
export const REFUSALS: Readonly<Record<RefusalCode, RefusalRow>> = tablesAsOne()

function tablesAsOne(): Tables {
  return Object.assign({}, ...REFUSAL_TABLES.map(({ rows }) => rows))
}

type Tables = UnionToIntersection<(typeof REFUSAL_TABLES)[number]['rows']>
type UnionToIntersection<Union> = (Union extends unknown ? (each: Union) => void : never) extends (all: infer All) => void ? All : never
