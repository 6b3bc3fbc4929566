import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import type { CustomerKey } from '../../../domain/identity.ts'
import type { DatabaseUnderTest } from '../database-under-test.ts'

const bare = (key: string) => ({ key, name: `Name of ${key}`, email: null, subjects: [`seat-of-${key}`], metadata: {} }) as never

export function describeStore({ stores, session, freshTenant }: DatabaseUnderTest): void {
  describe('export of a customer', () => {
    test('every table that names customers is read, in pages, and only rows of this one', async () => {
      const [tenant, other] = [freshTenant(), freshTenant()]
      for (const key of ['acme', 'globex']) await stores.customers.put(tenant, bare(key))
      await stores.customers.put(other, bare('acme'))
      const { customerExports } = stores
      const tables = await customerExports.tables()
      const rows: Record<string, unknown[]> = {}
      for (const table of tables) {
        const all = []
        for (let offset = 0; ; offset++) {
          const page = await customerExports.rows(tenant, 'acme' as CustomerKey, table, { offset, limit: 1 })
          if (page.length === 0) break
          all.push(...page)
        }
        if (all.length > 0) rows[table.name] = all
      }
      expect(rows).toMatchObject({
        customers: [{ key: 'acme', name: 'Name of acme' }],
        customer_subjects: [{ customer: 'acme', subject: 'seat-of-acme' }],
      })
      expect(JSON.stringify(rows)).not.toContain('globex')
    })

    test('no table with what customers have is left out: each is exported, or names none of them', async () => {
      const tables = new Set((await stores.customerExports.tables()).map(({ name }) => name))
      const { rows } = await session.run((db) =>
        sql<{ child: string; parent: string }>`
          SELECT conrelid::regclass::text AS child, confrelid::regclass::text AS parent FROM pg_constraint WHERE contype = 'f'`.execute(db),
      )
      const owners = [...tables].filter((name) => name !== 'customers')
      expect(rows.filter(({ child, parent }) => owners.includes(parent) && !tables.has(child))).toEqual([])
    })
  })
}
