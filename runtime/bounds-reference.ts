import { COUNTER_BOUNDS } from '../adapters/counters/counter-bounds.ts'
import { IDEMPOTENCY_BOUNDS } from '../adapters/database/idempotency/idempotency-bounds.ts'
import { READ_BOUNDS } from '../adapters/usage-store/read-bounds.ts'
import { AGGREGATOR_BOUNDS } from '../aggregator/aggregator-bounds.ts'
import { BULK_BOUNDS } from '../api/bulk/bulk-bounds.ts'
import { TOKEN_BOUNDS } from '../api/me/token-bounds.ts'
import { USAGE_BOUNDS } from '../api/usage/usage-bounds.ts'
import { BILLING_BOUNDS } from '../billing/billing-bounds.ts'
import { COMMERCE_BOUNDS } from '../commerce/commerce-bounds.ts'
import type { Bound, Bounds } from '../domain/bound.ts'
import { CATALOG_BOUNDS } from '../domain/catalog/catalog-bounds.ts'
import { EXPRESSION_BOUNDS } from '../domain/metering/expressions/expression-bounds.ts'
import { SERIES_BOUNDS } from '../domain/metering/series.ts'
import { RESERVATION_BOUNDS } from '../domain/reservations/reservation-bounds.ts'
import { WEBHOOK_BOUNDS } from '../domain/webhooks/webhook-bounds.ts'
import { ENTITLEMENT_BOUNDS } from '../entitlements/entitlement-bounds.ts'
import { INGEST_BOUNDS } from '../ingest/ingest-bounds.ts'
import { NAME_BOUNDS } from '../usage/customer-names.ts'
import { USAGE_READER_BOUNDS } from '../usage/usage-reader-bounds.ts'
import { HTTP_BOUNDS } from './http/http-bounds.ts'

export type BoundTable = { readonly title: string; readonly bounds: Bounds }

/** Every table of bounds of the server, in the order of a request's way. */
export const BOUND_TABLES: readonly BoundTable[] = [
  { title: 'Before a route', bounds: HTTP_BOUNDS },
  { title: 'Customer tokens', bounds: TOKEN_BOUNDS },
  { title: 'Idempotency keys', bounds: IDEMPOTENCY_BOUNDS },
  { title: 'Events', bounds: INGEST_BOUNDS },
  { title: 'Names of customers', bounds: NAME_BOUNDS },
  { title: 'Aggregation', bounds: AGGREGATOR_BOUNDS },
  { title: 'Dimensions of meters', bounds: SERIES_BOUNDS },
  { title: 'Reads of events and usage', bounds: USAGE_BOUNDS },
  { title: 'Usage inside the server', bounds: USAGE_READER_BOUNDS },
  { title: 'The engine', bounds: READ_BOUNDS },
  { title: 'Counters', bounds: COUNTER_BOUNDS },
  { title: 'Entitlements', bounds: ENTITLEMENT_BOUNDS },
  { title: 'Reservations', bounds: RESERVATION_BOUNDS },
  { title: 'Catalog', bounds: CATALOG_BOUNDS },
  { title: 'Many puts', bounds: BULK_BOUNDS },
  { title: 'Expressions of meters', bounds: EXPRESSION_BOUNDS },
  { title: 'Billing', bounds: BILLING_BOUNDS },
  { title: 'Webhooks', bounds: WEBHOOK_BOUNDS },
  { title: 'Selling', bounds: COMMERCE_BOUNDS },
]

/** What stands in `docs/limits.md` from `BOUNDS_MARK` on: the tables as text. */
export function boundsMarkdown(): string {
  return `${BOUND_TABLES.map(markdownTable).join('\n\n')}\n`
}

export const BOUNDS_MARK = '<!-- The tables below are printed from the code. -->\n'

function markdownTable({ title, bounds }: BoundTable): string {
  const head = `### ${title}\n\n| what | most | per | code | setting |\n| --- | --- | --- | --- | --- |`
  return [head, ...Object.values(bounds).map(markdownRow)].join('\n')
}

function markdownRow({ what, most, unit, per, code, setting }: Bound): string {
  return `| ${what} | ${grouped(most)} ${unit} | ${per} | ${quoted(code)} | ${quoted(setting ?? null)} |`
}

/** 1 048 576 */
function grouped(most: number): string {
  return most.toLocaleString('en').replaceAll(',', ' ')
}

function quoted(name: string | null): string {
  return name === null ? '' : `\`${name}\``
}
