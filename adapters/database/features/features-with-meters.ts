import { type Kysely, sql } from 'kysely'
import type { Feature } from '../../../domain/catalog/plan.ts'
import type { FeatureKey, TenantKey } from '../../../domain/identity.ts'
import type { Meter } from '../../../domain/metering/meter.ts'
import type { CatalogTables } from '../../../schemas/database/catalog-tables.ts'
import { meterOf } from '../meters/meter-table.ts'
import { featureOf } from './feature-table.ts'

/** Some features and what they read; unknown keys are absent. */
export async function featuresWithMeters(
  db: Kysely<CatalogTables>,
  tenant: TenantKey,
  keys: readonly FeatureKey[],
): Promise<{ readonly features: readonly Feature[]; readonly meters: readonly Meter[] }> {
  const features = await db
    .selectFrom('features')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('key', '=', sql<string>`ANY(${[...new Set(keys)]})`)
    .execute()
  const meters = await db
    .selectFrom('meters')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('key', '=', sql<string>`ANY(${features.flatMap(({ meter }) => (meter === null ? [] : [meter]))})`)
    .execute()
  return { features: features.map(featureOf), meters: meters.map(meterOf) }
}
