import { type Kysely, sql } from 'kysely'
import type { Feature } from '../../../domain/catalog/plan.ts'
import type { FeatureKey, TenantKey } from '../../../domain/identity.ts'
import type { Meter } from '../../../domain/metering/meter.ts'
import type { DatabaseTables } from '../database-session.ts'
import { meterOf } from '../meters/meter-store.ts'
import { featureOf } from './feature-store.ts'

/** Some features and the meters that they read; unknown keys are absent. */
export async function featuresWithMeters(
  db: Kysely<DatabaseTables>,
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
