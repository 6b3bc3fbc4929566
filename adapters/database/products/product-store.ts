import type { Selectable } from 'kysely'
import type { Product } from '../../../domain/catalog/product.ts'
import type { ProductKey, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseSession, DatabaseTables } from '../database-session.ts'
import { keyAfter, type Page, type PageRequest, pageOf } from '../page.ts'
import type { PutResult } from '../put-result.ts'
import { hasSameContent } from '../same-content.ts'

export type ProductStore = {
  put(tenant: TenantKey, product: Product): Promise<PutResult<Product>>
  get(tenant: TenantKey, key: ProductKey): Promise<Product | null>
  list(tenant: TenantKey, page: PageRequest): Promise<Page<Product>>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    products: { tenant: string; key: string; name: string; description: string | null }
  }
}

declare module '../changes.ts' {
  interface Topics {
    products: ProductKey
  }
}

export function sqlProductStore(session: DatabaseSession): ProductStore {
  return {
    put: (tenant, product) =>
      session.write(async ({ db, announce }) => {
        const { key, name, description } = product
        const created = await db
          .insertInto('products')
          .values({ tenant, key, name, description })
          .onConflict((conflict) => conflict.doNothing())
          .returning('key')
          .executeTakeFirst()
        if (created === undefined) {
          const row = await db
            .selectFrom('products')
            .selectAll()
            .where('tenant', '=', tenant)
            .where('key', '=', key)
            .forUpdate()
            .executeTakeFirstOrThrow()
          if (hasSameContent(productOf(row), product)) return { value: product, result: 'same' }
          await db.updateTable('products').set({ name, description }).where('tenant', '=', tenant).where('key', '=', key).execute()
        }
        announce({ tenant, topic: 'products', key })
        return { value: product, result: created === undefined ? 'changed' : 'created' }
      }),

    get: (tenant, key) =>
      session.run(async (db) => {
        const row = await db.selectFrom('products').selectAll().where('tenant', '=', tenant).where('key', '=', key).executeTakeFirst()
        return row === undefined ? null : productOf(row)
      }),

    list: (tenant, page) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('products')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('key', '>', keyAfter(page))
          .orderBy('key')
          .limit(page.limit + 1)
          .execute()
        return pageOf(rows, page, ({ key }) => key, productOf)
      }),
  }
}

function productOf(row: Selectable<DatabaseTables['products']>): Product {
  return { key: row.key as ProductKey, name: row.name, description: row.description }
}
