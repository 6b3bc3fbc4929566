import type { Selectable } from 'kysely'
import { invariant } from '../../../base/invariant.ts'
import type { TaxRate } from '../../../domain/billing/tax-rate.ts'
import type { RecordTimes } from '../../../domain/catalog/record-times.ts'
import { formatQuantity, parseQuantity } from '../../../domain/decimal.ts'
import type { TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession, DatabaseTables } from '../database-session.ts'
import { type KeyedRows, keyedRows, recordTimesOf, type TimeColumns } from '../keyed-rows.ts'
import type { PutResult } from '../put-result.ts'

export type TaxRateStore = KeyedRows<string, TaxRateRecord> & {
  put(tenant: TenantKey, rate: TaxRate): Promise<PutResult<TaxRateRecord>>
}

export type TaxRateRecord = TaxRate & RecordTimes

declare module '../database-session.ts' {
  interface DatabaseTables {
    tax_rates: TimeColumns & { tenant: string; key: string; name: string; percent: string; is_inclusive: boolean }
  }
}

declare module '../changes.ts' {
  interface Topics {
    tax_rates: string
  }
}

export function sqlTaxRateStore(session: DatabaseSession): TaxRateStore {
  return {
    ...keyedRows(session, 'tax_rates', taxRateRecordOf),

    put: (tenant, rate) =>
      session.write(async ({ db, announce }) => {
        const { key, name, isInclusive } = rate
        const columns = { name, percent: formatQuantity(rate.percentNano), is_inclusive: isInclusive }
        const now = new Date(session.clock.now())
        const created = await db
          .insertInto('tax_rates')
          .values({ tenant, key, ...columns, created_at: now, updated_at: now })
          .onConflict((conflict) => conflict.doNothing())
          .returningAll()
          .executeTakeFirst()
        const changed =
          created ??
          (await db
            .updateTable('tax_rates')
            .set({ ...columns, updated_at: now })
            .where('tenant', '=', tenant)
            .where('key', '=', key)
            .where(({ eb }) => eb.not(eb.and(columns)))
            .returningAll()
            .executeTakeFirst())
        if (changed === undefined) {
          const stored = await db
            .selectFrom('tax_rates')
            .selectAll()
            .where('tenant', '=', tenant)
            .where('key', '=', key)
            .executeTakeFirstOrThrow()
          return { value: taxRateRecordOf(stored), result: 'same' }
        }
        announce({ tenant, topic: 'tax_rates', key })
        return { value: taxRateRecordOf(changed), result: created === undefined ? 'changed' : 'created' }
      }),
  }
}

export function taxRateOf({ key, name, percent, is_inclusive }: Selectable<DatabaseTables['tax_rates']>): TaxRate {
  const percentNano = parseQuantity(percent)
  invariant(percentNano !== null, 'a stored percentage is an exact decimal')
  return { key, name, percentNano, isInclusive: is_inclusive }
}

function taxRateRecordOf(row: Selectable<DatabaseTables['tax_rates']>): TaxRateRecord {
  return { ...taxRateOf(row), ...recordTimesOf(row) }
}
