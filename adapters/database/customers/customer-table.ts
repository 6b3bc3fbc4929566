import { type Kysely, sql, type Transaction } from 'kysely'
import type { CustomerKey, TenantKey } from '../../../domain/identity.ts'
import { type Refusal, refuse, refuseFields } from '../../../domain/refusal.ts'
import type { CatalogTables } from '../../../schemas/database/catalog-tables.ts'
import type { Catalog, Customer } from '../catalog.ts'
import type { CatalogSession } from '../engine/catalog-session.ts'
import { keyAfter, pageOf } from '../engine/page.ts'
import { hasSameContent } from '../engine/same-content.ts'

type Customers = Pick<Catalog, 'putCustomer' | 'customer' | 'customers' | 'ensureCustomers' | 'resolveSubjects'>

export function customerTable(session: CatalogSession): Customers {
  return {
    putCustomer: (tenant, customer) =>
      session.write(async (trx, announce) => {
        const { key, name, email } = customer
        await lockNames(trx, tenant, [key, ...customer.subjects])
        const refusal = await refuseTakenNames(trx, tenant, customer)
        if (refusal !== null) return refusal
        const stored = (await selectCustomers(trx, tenant, [key]))[0]
        if (stored !== undefined && hasSameContent(stored, customer)) return { value: stored, result: 'same' }
        const columns = { name, email, metadata: JSON.stringify(customer.metadata) }
        await trx
          .insertInto('customers')
          .values({ tenant, key, ...columns })
          .onConflict((conflict) => conflict.columns(['tenant', 'key']).doUpdateSet(columns))
          .execute()
        await trx.deleteFrom('customer_subjects').where('tenant', '=', tenant).where('customer', '=', key).execute()
        if (customer.subjects.length > 0) {
          const subjects = customer.subjects.map((subject, position) => ({ tenant, subject, customer: key, position }))
          await trx.insertInto('customer_subjects').values(subjects).execute()
        }
        announce({ tenant, kind: 'customer', key })
        return { value: customer, result: stored === undefined ? 'created' : 'changed' }
      }),

    customer: (tenant, key) => session.snapshot(async (trx) => (await selectCustomers(trx, tenant, [key]))[0] ?? null),

    customers: (tenant, page) =>
      session.snapshot(async (trx) => {
        const rows = await trx
          .selectFrom('customers')
          .select('key')
          .where('tenant', '=', tenant)
          .where('key', '>', keyAfter(page))
          .orderBy('key')
          .limit(page.limit + 1)
          .execute()
        const customers = await selectCustomers(
          trx,
          tenant,
          rows.map(({ key }) => key),
        )
        return pageOf(
          customers,
          page,
          ({ key }) => key,
          (customer) => customer,
        )
      }),

    async ensureCustomers(customers) {
      if (customers.length === 0) return
      await session.write(async (trx, announce) => {
        // Sorted, so that two processes that see the same new customers do not wait for each other in a ring.
        const created = await sql<{ tenant: TenantKey; key: string }>`
          INSERT INTO customers (tenant, key, metadata)
          SELECT tenant, key, '{}' FROM unnest(${customers.map(({ tenant }) => tenant)}::text[], ${customers.map(({ key }) => key)}::text[]) AS seen (tenant, key)
          ORDER BY tenant, key
          ON CONFLICT DO NOTHING RETURNING tenant, key`.execute(trx)
        for (const { tenant, key } of created.rows) announce({ tenant, kind: 'customer', key })
      })
    },

    resolveSubjects: (tenant, subjects) =>
      session.run(async (db) => {
        const rows = await db
          .selectFrom('customer_subjects')
          .select(['subject', 'customer'])
          .where('tenant', '=', tenant)
          .where('subject', '=', sql<string>`ANY(${[...subjects]})`)
          .execute()
        return new Map(rows.map(({ subject, customer }) => [subject, customer as CustomerKey]))
      }),
  }
}

async function selectCustomers(db: Kysely<CatalogTables>, tenant: TenantKey, keys: readonly string[]): Promise<readonly Customer[]> {
  const ofTenant = sql<string>`ANY(${[...keys]})`
  const rows = await db
    .selectFrom('customers')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('key', '=', ofTenant)
    .orderBy('key')
    .execute()
  const subjects = await db
    .selectFrom('customer_subjects')
    .select(['customer', 'subject'])
    .where('tenant', '=', tenant)
    .where('customer', '=', ofTenant)
    .orderBy('customer')
    .orderBy('position')
    .execute()
  const byCustomer = Map.groupBy(subjects, ({ customer }) => customer)
  return rows.map((row) => ({
    key: row.key as CustomerKey,
    name: row.name,
    email: row.email,
    subjects: (byCustomer.get(row.key) ?? []).map(({ subject }) => subject),
    metadata: row.metadata,
  }))
}

/** A name is a key or a subject. Whoever claims one waits here for others that claim it, in one order, so that two customers cannot both get it. */
async function lockNames(trx: Transaction<CatalogTables>, tenant: TenantKey, names: readonly string[]): Promise<void> {
  await sql`
    SELECT pg_advisory_xact_lock(lock) FROM (
      SELECT DISTINCT hashtextextended(${tenant}::text || ' ' || name, 0) AS lock FROM unnest(${[...names]}::text[]) AS name ORDER BY 1
    ) AS locks`.execute(trx)
}

async function refuseTakenNames(trx: Transaction<CatalogTables>, tenant: TenantKey, { key, subjects }: Customer): Promise<Refusal | null> {
  const subjectsTaken = await trx
    .selectFrom('customer_subjects')
    .select(['subject', 'customer'])
    .where('tenant', '=', tenant)
    .where('subject', '=', sql<string>`ANY(${[key, ...subjects]})`)
    .where('customer', '<>', key)
    .execute()
  const keysTaken = await trx
    .selectFrom('customers')
    .select('key')
    .where('tenant', '=', tenant)
    .where('key', '=', sql<string>`ANY(${[...subjects]})`)
    .where('key', '<>', key)
    .execute()
  /** The customer that a name is a subject of; null where it is the key of one. */
  const owners = new Map<string, string | null>([
    ...subjectsTaken.map(({ subject, customer }) => [subject, customer] as const),
    ...keysTaken.map((row) => [row.key, null] as const),
  ])
  const errors = [{ name: key, field: 'key' }, ...subjects.map((name, index) => ({ name, field: `subjects[${index}]` }))].flatMap(
    ({ name, field }) => {
      const subjectOf = owners.get(name)
      return subjectOf === undefined ? [] : [{ field, refusal: refuse('subject_taken', { name, subjectOf }) }]
    },
  )
  return errors.length === 0 ? null : refuseFields('subject_taken', errors)
}
