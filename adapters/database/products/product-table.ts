import type { Selectable } from 'kysely'
import type { ProductKey } from '../../../domain/identity.ts'
import type { CatalogTables } from '../../../schemas/database/catalog-tables.ts'
import type { Catalog, Product } from '../catalog.ts'
import type { CatalogSession } from '../engine/catalog-session.ts'
import { keyAfter, pageOf } from '../engine/page.ts'
import { hasSameContent } from '../engine/same-content.ts'

type Products = Pick<Catalog, 'putProduct' | 'product' | 'products'>

export function productTable(session: CatalogSession): Products {
  return {
    putProduct: (tenant, product) =>
      session.write(async (trx, announce) => {
        const { key, name, description } = product
        const created = await trx
          .insertInto('products')
          .values({ tenant, key, name, description })
          .onConflict((conflict) => conflict.doNothing())
          .returning('key')
          .executeTakeFirst()
        if (created === undefined) {
          const row = await trx
            .selectFrom('products')
            .selectAll()
            .where('tenant', '=', tenant)
            .where('key', '=', key)
            .forUpdate()
            .executeTakeFirstOrThrow()
          if (hasSameContent(productOf(row), product)) return { value: product, result: 'same' }
          await trx.updateTable('products').set({ name, description }).where('tenant', '=', tenant).where('key', '=', key).execute()
        }
        announce({ tenant, kind: 'product', key })
        return { value: product, result: created === undefined ? 'changed' : 'created' }
      }),

    product: (tenant, key) =>
      session.run(async (db) => {
        const row = await db.selectFrom('products').selectAll().where('tenant', '=', tenant).where('key', '=', key).executeTakeFirst()
        return row === undefined ? null : productOf(row)
      }),

    products: (tenant, page) =>
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

function productOf(row: Selectable<CatalogTables['products']>): Product {
  return { key: row.key as ProductKey, name: row.name, description: row.description }
}
