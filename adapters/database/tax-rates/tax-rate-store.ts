import type { Selectable } from 'kysely'
import { invariant } from '../../../base/invariant.ts'
import type { TaxRate } from '../../../domain/billing/tax-rate.ts'
import { formatQuantity, parseQuantity } from '../../../domain/decimal.ts'
import type { TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession, DatabaseTables } from '../database-session.ts'
import { keyAfter, type Page, type PageRequest, pageOf } from '../page.ts'
import type { PutResult } from '../put-result.ts'

export type TaxRateStore = {
  put(tenant: TenantKey, rate: TaxRate): Promise<PutResult<TaxRate>>
  get(tenant: TenantKey, key: string): Promise<TaxRate | null>
  list(tenant: TenantKey, page: PageRequest): Promise<Page<TaxRate>>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    tax_rates: { tenant: string; key: string; name: string; percent: string; is_inclusive: boolean }
  }
}

declare module '../changes.ts' {
  interface Topics {
    tax_rates: string
  }
}

export function sqlTaxRateStore(session: DatabaseSession): TaxRateStore {
  return {
    put: (tenant, rate) =>
      session.write(async ({ db, announce }) => {
        const { key, name, isInclusive } = rate
        const columns = { name, percent: formatQuantity(rate.percentNano), is_inclusive: isInclusive }
        const created = await db
          .insertInto('tax_rates')
          .values({ tenant, key, ...columns })
          .onConflict((conflict) => conflict.doNothing())
          .returning('key')
          .executeTakeFirst()
        if (created === undefined) {
          const changed = await db
            .updateTable('tax_rates')
            .set(columns)
            .where('tenant', '=', tenant)
            .where('key', '=', key)
            .where(({ eb }) => eb.not(eb.and(columns)))
            .returning('key')
            .executeTakeFirst()
          if (changed === undefined) return { value: rate, result: 'same' }
        }
        announce({ tenant, topic: 'tax_rates', key })
        return { value: rate, result: created === undefined ? 'changed' : 'created' }
      }),

    get: (tenant, key) =>
      session.run(async (db) => {
        const row = await db.selectFrom('tax_rates').selectAll().where('tenant', '=', tenant).where('key', '=', key).executeTakeFirst()
        return row === undefined ? null : taxRateOf(row)
      }),

    list: (tenant, page) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('tax_rates')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('key', '>', keyAfter(page))
          .orderBy('key')
          .limit(page.limit + 1)
          .execute()
        return pageOf(rows, page, ({ key }) => key, taxRateOf)
      }),
  }
}

export function taxRateOf({ key, name, percent, is_inclusive }: Selectable<DatabaseTables['tax_rates']>): TaxRate {
  const percentNano = parseQuantity(percent)
  invariant(percentNano !== null, 'a stored percentage is an exact decimal')
  return { key, name, percentNano, isInclusive: is_inclusive }
}
