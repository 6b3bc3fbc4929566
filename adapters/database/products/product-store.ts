import type { Selectable } from 'kysely'
import type { Product } from '../../../domain/catalog/product.ts'
import type { ArchivableTimes } from '../../../domain/catalog/record-times.ts'
import type { ProductKey, TenantKey } from '../../../domain/identity.ts'
import { type Archiver, archiver } from '../archiver.ts'
import type { DatabaseSession, DatabaseTables } from '../database-session.ts'
import { type ArchivableColumns, archivableTimesOf, type KeyedRows, keyedRows } from '../keyed-rows.ts'
import type { PutResult } from '../put-result.ts'
import { hasSameContent } from '../same-content.ts'

export type ProductStore = KeyedRows<ProductKey, ProductRecord> &
  Archiver<ProductKey, ProductRecord> & {
    put(tenant: TenantKey, product: Product): Promise<PutResult<ProductRecord>>
  }

export type ProductRecord = Product & ArchivableTimes

declare module '../database-session.ts' {
  interface DatabaseTables {
    products: ArchivableColumns & { tenant: string; key: string; name: string; description: string | null }
  }
}

declare module '../changes.ts' {
  interface Topics {
    products: ProductKey
  }
}

export function sqlProductStore(session: DatabaseSession): ProductStore {
  const rows = keyedRows(session, 'products', productRecordOf)
  return {
    ...rows,
    archive: archiver(session, 'products', rows.get),

    put: (tenant, product) =>
      session.write(async ({ db, announce }) => {
        const { key, name, description } = product
        const now = new Date(session.clock.now())
        const created = await db
          .insertInto('products')
          .values({ tenant, key, name, description, created_at: now, updated_at: now })
          .onConflict((conflict) => conflict.doNothing())
          .returningAll()
          .executeTakeFirst()
        if (created !== undefined) {
          announce({ tenant, topic: 'products', key })
          return { value: productRecordOf(created), result: 'created' }
        }
        const stored = await db
          .selectFrom('products')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .forUpdate()
          .executeTakeFirstOrThrow()
        if (hasSameContent(productOf(stored), product)) return { value: productRecordOf(stored), result: 'same' }
        const changed = await db
          .updateTable('products')
          .set({ name, description, updated_at: now })
          .where('tenant', '=', tenant)
          .where('key', '=', key)
          .returningAll()
          .executeTakeFirstOrThrow()
        announce({ tenant, topic: 'products', key })
        return { value: productRecordOf(changed), result: 'changed' }
      }),
  }
}

type ProductRow = Selectable<DatabaseTables['products']>

function productOf(row: ProductRow): Product {
  return { key: row.key as ProductKey, name: row.name, description: row.description }
}

function productRecordOf(row: ProductRow): ProductRecord {
  return { ...productOf(row), ...archivableTimesOf(row) }
}
