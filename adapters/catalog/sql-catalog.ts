import { type Kysely, sql } from 'kysely'
import type { Clock } from '../../domain/clock.ts'
import type { InstantMs } from '../../domain/identity.ts'
import type { CatalogTables } from '../../schemas/catalog/catalog-tables.ts'
import { apiKeyTable } from './api-key-table.ts'
import type { Catalog } from './catalog.ts'
import type { CatalogSession } from './catalog-session.ts'
import { customerTable } from './customer-table.ts'
import { entitlementInputsReader } from './entitlement-inputs-reader.ts'
import { featureTable } from './feature-table.ts'
import { grantTable } from './grant-table.ts'
import { idempotencyTable } from './idempotency-table.ts'
import { invoiceInputsReader } from './invoice-inputs-reader.ts'
import { meterTable } from './meter-table.ts'
import { migrateCatalog } from './migrate-catalog.ts'
import { openingTable } from './opening-table.ts'
import { overrideTable } from './override-table.ts'
import { planTable } from './plan-table.ts'
import { productTable } from './product-table.ts'
import type { RandomBytes } from './record-id.ts'
import { resetTable } from './reset-table.ts'
import { subscriptionTable } from './subscription-table.ts'

export type SqlCatalogOptions = {
  readonly db: Kysely<CatalogTables>
  readonly session: CatalogSession
  readonly clock: Clock
  /** Ids of keys, subscriptions, grants and resets are made from it. */
  readonly randomBytes: RandomBytes
  readonly heardUpToMs: () => InstantMs
  readonly onMigrated: (names: readonly string[]) => void
  readonly stop: () => Promise<void>
}

/** The catalog in PostgreSQL's dialect. Which PostgreSQL, in process or on a server, is the opener's business. */
export function createSqlCatalog({ db, session, clock, randomBytes, heardUpToMs, onMigrated, stop }: SqlCatalogOptions): Catalog {
  return {
    migrate: async () => onMigrated(await session.run(migrateCatalog)),
    ...apiKeyTable(session, clock, randomBytes),
    ...meterTable(session),
    ...featureTable(session),
    ...productTable(session),
    ...planTable(session, clock),
    ...customerTable(session),
    ...subscriptionTable(session, clock, randomBytes),
    ...overrideTable(session, clock),
    ...grantTable(session, clock, randomBytes),
    ...resetTable(session, randomBytes),
    ...openingTable(session),
    ...entitlementInputsReader(session),
    ...invoiceInputsReader(session),
    ...idempotencyTable(session),
    onChange: session.onChange,
    heardUpToMs,
    ping: () => session.run(async () => void (await sql`SELECT 1`.execute(db))),
    stop,
  }
}
