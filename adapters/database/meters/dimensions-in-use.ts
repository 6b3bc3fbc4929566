import { sql, type Transaction } from 'kysely'
import type { DimensionFilter } from '../../../domain/metering/dimension-filter.ts'
import { type Refusal, refuse } from '../../../domain/refusal.ts'
import type { DatabaseTables } from '../database-session.ts'

type FilteringFeature = { readonly key: string; readonly filter: DimensionFilter }
type FilterUser = { readonly feature: string } | { readonly plan: string; readonly charge: string }

/**
 * Refuses when these features, or a charge on one of them in any version of a plan, filter on a dimension that is not among
 * `dimensions`: invoices and balances of subscriptions on that version would silently drop to zero.
 */
export async function refuseMissingDimensions(
  db: Transaction<DatabaseTables>,
  tenant: string,
  features: readonly FilteringFeature[],
  meter: { readonly key: string; readonly dimensions: Readonly<Record<string, string>> },
): Promise<Refusal | null> {
  const users: { readonly user: FilterUser; readonly filter: DimensionFilter }[] = features.map(({ key, filter }) => ({
    user: { feature: key },
    filter,
  }))
  if (features.length > 0) {
    const charges = await sql<{ plan: string; charge: string; filter: DimensionFilter }>`
      SELECT plan, charge->>'key' AS charge, charge->'filter' AS filter
      FROM plan_versions, jsonb_array_elements(charges) AS charge
      WHERE tenant = ${tenant} AND charge->>'feature' = ANY(${features.map(({ key }) => key)})
      ORDER BY plan, version`.execute(db)
    users.push(...charges.rows.map(({ plan, charge, filter }) => ({ user: { plan, charge }, filter })))
  }
  for (const { user, filter } of users) {
    const missing = Object.keys(filter).find((dimension) => !Object.hasOwn(meter.dimensions, dimension))
    if (missing === undefined) continue
    return refuse('dimension_in_use', { user, dimension: missing, meter: meter.key, dimensions: Object.keys(meter.dimensions) })
  }
  return null
}
