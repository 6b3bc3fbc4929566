import { type Kysely, sql } from 'kysely'
import type { Clock } from '../../../base/clock.ts'
import type { InstantMs } from '../../../domain/identity.ts'
import type { CatalogTables } from '../../../schemas/database/catalog-tables.ts'
import { openingTable } from '../allowances/allowance-opening-store.ts'
import { grantTable } from '../allowances/grant-table.ts'
import { overrideTable } from '../allowances/override-table.ts'
import { resetTable } from '../allowances/reset-table.ts'
import type { Catalog } from '../catalog.ts'
import { customerTable } from '../customers/customer-table.ts'
import { entitlementInputsReader } from '../entitlements/entitlement-inputs-reader.ts'
import { featureTable } from '../features/feature-table.ts'
import { idempotencyTable } from '../idempotency/idempotency-table.ts'
import { invoiceInputsReader } from '../invoices/invoice-inputs-reader.ts'
import { apiKeyTable } from '../keys/api-key-table.ts'
import { meterTable } from '../meters/meter-table.ts'
import { planTable } from '../plans/plan-table.ts'
import { productTable } from '../products/product-table.ts'
import { subscriptionTable } from '../subscriptions/subscription-table.ts'
import type { CatalogSession } from './catalog-session.ts'
import { migrateCatalog } from './migrate-catalog.ts'
import type { RandomBytes } from './record-id.ts'

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
