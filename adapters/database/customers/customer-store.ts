import { type Kysely, sql, type Transaction } from 'kysely'
import type { Customer, CustomerBilling } from '../../../domain/catalog/customer.ts'
import type { CustomerKey, TenantKey } from '../../../domain/identity.ts'
import { type Outcome, type Refusal, refuse, refuseFields } from '../../../domain/refusal.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { keyAfter, type Page, type PageRequest, pageOf } from '../page.ts'
import type { PutResult } from '../put-result.ts'
import { hasSameContent } from '../same-content.ts'
import { type SimilarCustomers, selectSimilarCustomers } from './similar-customers.ts'

export type CustomerStore = {
  /** Refuses `subject_taken` when a subject is another customer's key or subject. */
  put(tenant: TenantKey, customer: Customer): Promise<Outcome<PutResult<Customer>>>
  get(tenant: TenantKey, key: CustomerKey): Promise<Customer | null>
  list(tenant: TenantKey, page: PageRequest): Promise<Page<Customer>>
  /** Creates the customers that do not exist, with nothing but a key; for customers first seen in events. */
  ensure(customers: readonly { readonly tenant: TenantKey; readonly key: CustomerKey }[]): Promise<void>
  similar(tenant: TenantKey, keys: readonly CustomerKey[]): Promise<SimilarCustomers>
  /** Finds the customers that have these strings as a subject; keys themselves are not looked up. */
  resolveSubjects(tenant: TenantKey, subjects: readonly string[]): Promise<ReadonlyMap<string, CustomerKey>>
}

declare module '../database-session.ts' {
  interface DatabaseTables {
    customers: {
      tenant: string
      key: string
      name: string | null
      email: string | null
      metadata: Json<Readonly<Record<string, unknown>>>
      billing: Json<CustomerBilling>
    }
    customer_subjects: { tenant: string; subject: string; customer: string; position: number }
  }
}

declare module '../changes.ts' {
  interface Topics {
    customers: CustomerKey
  }
}

export function sqlCustomerStore(session: DatabaseSession): CustomerStore {
  return {
    put: (tenant, customer) =>
      session.write(async ({ db, announce }) => {
        const { key, name, email, subjects: _subjects, metadata, ...billing } = customer
        await lockNames(db, tenant, [key, ...customer.subjects])
        const refusal = await refuseTakenNames(db, tenant, customer)
        if (refusal !== null) return refusal
        const stored = (await selectCustomers(db, tenant, [key]))[0]
        if (stored !== undefined && hasSameContent(stored, customer)) return { value: stored, result: 'same' }
        const columns = { name, email, metadata: JSON.stringify(metadata), billing: JSON.stringify(billing) }
        await db
          .insertInto('customers')
          .values({ tenant, key, ...columns })
          .onConflict((conflict) => conflict.columns(['tenant', 'key']).doUpdateSet(columns))
          .execute()
        await db.deleteFrom('customer_subjects').where('tenant', '=', tenant).where('customer', '=', key).execute()
        if (customer.subjects.length > 0) {
          const subjects = customer.subjects.map((subject, position) => ({ tenant, subject, customer: key, position }))
          await db.insertInto('customer_subjects').values(subjects).execute()
        }
        announce({ tenant, topic: 'customers', key })
        return { value: customer, result: stored === undefined ? 'created' : 'changed' }
      }),

    get: (tenant, key) => session.snapshot(async (db) => (await selectCustomers(db, tenant, [key]))[0] ?? null),

    list: (tenant, page) =>
      session.snapshot(async (db) => {
        const rows = await db
          .selectFrom('customers')
          .select('key')
          .where('tenant', '=', tenant)
          .where('key', '>', keyAfter(page))
          .orderBy('key')
          .limit(page.limit + 1)
          .execute()
        const customers = await selectCustomers(
          db,
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

    async ensure(customers) {
      if (customers.length === 0) return
      await session.write(async ({ db, announce }) => {
        // Sorted, so that two processes that see the same new customers do not deadlock.
        const created = await sql<{ tenant: TenantKey; key: CustomerKey }>`
          INSERT INTO customers (tenant, key, metadata)
          SELECT tenant, key, '{}' FROM unnest(${customers.map(({ tenant }) => tenant)}::text[], ${customers.map(({ key }) => key)}::text[]) AS seen (tenant, key)
          ORDER BY tenant, key
          ON CONFLICT DO NOTHING RETURNING tenant, key`.execute(db)
        for (const { tenant, key } of created.rows) announce({ tenant, topic: 'customers', key })
      })
    },

    similar: (tenant, keys) => session.run((db) => selectSimilarCustomers(db, tenant, keys)),

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

export async function selectCustomers(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  keys: readonly string[],
): Promise<readonly Customer[]> {
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
    ...row.billing,
  }))
}

/**
 * A name is a key or a subject. A writer that claims names waits here for others that claim the same ones, in one order, so that
 * two customers cannot both get a name.
 */
async function lockNames(db: Transaction<DatabaseTables>, tenant: TenantKey, names: readonly string[]): Promise<void> {
  await sql`
    SELECT pg_advisory_xact_lock(lock) FROM (
      SELECT DISTINCT hashtextextended(${tenant}::text || ' ' || name, 0) AS lock FROM unnest(${[...names]}::text[]) AS name ORDER BY 1
    ) AS locks`.execute(db)
}

async function refuseTakenNames(db: Transaction<DatabaseTables>, tenant: TenantKey, { key, subjects }: Customer): Promise<Refusal | null> {
  const subjectsTaken = await db
    .selectFrom('customer_subjects')
    .select(['subject', 'customer'])
    .where('tenant', '=', tenant)
    .where('subject', '=', sql<string>`ANY(${[key, ...subjects]})`)
    .where('customer', '<>', key)
    .execute()
  const keysTaken = await db
    .selectFrom('customers')
    .select('key')
    .where('tenant', '=', tenant)
    .where('key', '=', sql<string>`ANY(${[...subjects]})`)
    .where('key', '<>', key)
    .execute()
  /** The customer that a name is a subject of; null where the name is a customer's key. */
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
