import { type Kysely, sql } from 'kysely'
import type { LedgerSnapshot } from '../../../domain/allowance/allowance-ledger.ts'
import type { AllowanceOpening } from '../../../domain/entitlements/entitlement-inputs.ts'
import type { CustomerKey, FeatureKey, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { byCustomer, rowsOfCustomers } from '../entitlements/rows-of-customers.ts'

export type AllowanceOpeningStore = {
  /** Replaces the feature's opening, unless the stored one is later and has the same basis. */
  save(tenant: TenantKey, customer: CustomerKey, opening: AllowanceOpening): Promise<void>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    allowance_openings: { tenant: string; customer: string; feature: string; basis: string; at: Date; ledger: Json<unknown> }
  }
}

declare module '../changes.ts' {
  interface Topics {
    /** By customer. */
    allowance_openings: CustomerKey
  }
}

export function sqlAllowanceOpeningStore(session: DatabaseSession): AllowanceOpeningStore {
  return {
    save: (tenant, customer, { feature, basis, ledger }) =>
      session.write(async ({ db, announce }) => {
        const written = await sql<{ feature: string }>`
          INSERT INTO allowance_openings (tenant, customer, feature, basis, at, ledger)
          VALUES (${tenant}, ${customer}, ${feature}, ${basis}, ${new Date(ledger.atMs)}, ${encodeLedger(ledger)})
          ON CONFLICT (tenant, customer, feature) DO UPDATE SET basis = EXCLUDED.basis, at = EXCLUDED.at, ledger = EXCLUDED.ledger
          WHERE allowance_openings.basis <> EXCLUDED.basis OR allowance_openings.at < EXCLUDED.at
          RETURNING feature`.execute(db)
        if (written.rows.length > 0) announce({ tenant, topic: 'allowance_openings', key: customer })
      }),
  }
}

export async function openingsOf(db: Kysely<DatabaseTables>, tenant: TenantKey, customers: readonly CustomerKey[]) {
  const rows = await rowsOfCustomers(db, 'allowance_openings', { tenant, customers, orderBy: ['feature'] })
  return byCustomer(rows, ({ feature, basis, ledger }) => ({ feature: feature as FeatureKey, basis, ledger: decodeLedger(ledger) }))
}

/** Units are decimal strings, as JSON numbers would lose digits. */
function encodeLedger(ledger: LedgerSnapshot): string {
  return JSON.stringify(ledger, (_name, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))
}

function decodeLedger(stored: unknown): LedgerSnapshot {
  const { planBurned, rollover, grants, corrected, overage, ...instants } = stored as Stored<LedgerSnapshot>
  return {
    ...instants,
    planBurned: BigInt(planBurned),
    rollover: rollover === null ? null : { amount: BigInt(rollover.amount), left: BigInt(rollover.left), burned: BigInt(rollover.burned) },
    grants: grants.map(({ id, left, burned }) => ({ id, left: BigInt(left), burned: BigInt(burned) })),
    corrected: BigInt(corrected),
    overage: BigInt(overage),
  }
}

/** Branded values are strings or numbers at run time and stay as they are. */
type Stored<Value> = Value extends bigint
  ? string
  : Value extends string | number | null
    ? Value
    : { readonly [Name in keyof Value]: Stored<Value[Name]> }
