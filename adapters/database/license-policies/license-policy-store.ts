import type { Selectable } from 'kysely'
import type { RecordTimes } from '../../../domain/catalog/record-times.ts'
import type { TenantKey } from '../../../domain/identity.ts'
import type { LicenseTerms } from '../../../domain/selling/license-terms.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { type KeyedRows, keyedRows, recordTimesOf, type TimeColumns } from '../keyed-rows.ts'
import type { PutResult } from '../put-result.ts'
import { hasSameContent } from '../same-content.ts'

/** Licenses that were issued keep the terms of their issue. */
export type LicensePolicyStore = KeyedRows<string, LicensePolicyRecord> & {
  put(tenant: TenantKey, key: string, policy: LicenseTerms): Promise<PutResult<LicensePolicyRecord>>
}

export type LicensePolicyRecord = LicenseTerms & RecordTimes & { readonly key: string }

declare module '../database-session.ts' {
  interface DatabaseTables {
    license_policies: TimeColumns & { tenant: string; key: string; policy: Json<LicenseTerms> }
  }
}

export function sqlLicensePolicyStore(session: DatabaseSession): LicensePolicyStore {
  return {
    ...keyedRows(session, 'license_policies', policyOf),

    put: (tenant, key, policy) =>
      session.write(async ({ db }) => {
        const stored = await db
          .selectFrom('license_policies')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .forUpdate()
          .executeTakeFirst()
        if (stored !== undefined && hasSameContent(stored.policy, policy)) return { value: policyOf(stored), result: 'same' }
        const now = new Date(session.clock.now())
        const columns = { policy: JSON.stringify(policy), updated_at: now }
        const put = await db
          .insertInto('license_policies')
          .values({ tenant, key, ...columns, created_at: now })
          .onConflict((conflict) => conflict.columns(['tenant', 'key']).doUpdateSet(columns))
          .returningAll()
          .executeTakeFirstOrThrow()
        return { value: policyOf(put), result: stored === undefined ? 'created' : 'changed' }
      }),
  }
}

function policyOf(row: Selectable<DatabaseTables['license_policies']>): LicensePolicyRecord {
  return { ...row.policy, key: row.key, ...recordTimesOf(row) }
}
