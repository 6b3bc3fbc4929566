import { type ColumnType, type Kysely, sql, type Transaction } from 'kysely'
import type { Customer, CustomerBilling } from '../../../domain/catalog/customer.ts'
import type { NameAssignment } from '../../../domain/catalog/customer-name.ts'
import type { CustomerKey, TenantKey } from '../../../domain/identity.ts'
import { type Outcome, type Refusal, refuse, refuseField, refuseFields } from '../../../domain/refusal.ts'
import { reconsiderCustomer } from '../billing-cursors/billing-cursor-store.ts'
import type { DatabaseSession, DatabaseTables, Json } from '../database-session.ts'
import { keyAfter, type Page, type PageRequest, pageOf } from '../page.ts'
import type { PutResult } from '../put-result.ts'
import { hasSameContent } from '../same-content.ts'
import { adoptNamed, markAdopted, selectAdoptable } from './adoption-store.ts'
import { assignNames, releaseNames, selectNameHistories } from './name-history.ts'
import { type SimilarCustomers, selectSimilarCustomers } from './similar-customers.ts'

export type CustomerStore = {
  /**
   * A subject that is the key of a customer which has only appeared by itself adopts that customer. Refuses `subject_taken` when
   * a subject is another customer's key or subject, and `customer_adopted` when the key is an adopted customer's.
   */
  put(tenant: TenantKey, customer: Customer): Promise<Outcome<PutResult<Customer>>>
  /**
   * One of the two adopts the other, of which nothing but usage is known: it becomes a subject of its adopter. Refuses
   * `unknown_customer`, `not_adoptable`.
   */
  adopt(tenant: TenantKey, key: CustomerKey, other: CustomerKey): Promise<Outcome<Customer>>
  get(tenant: TenantKey, key: CustomerKey): Promise<Customer | null>
  list(tenant: TenantKey, page: PageRequest): Promise<Page<Customer>>
  /** Creates the customers that do not exist, with nothing but a key; for customers first seen in events. */
  ensure(customers: readonly { readonly tenant: TenantKey; readonly key: CustomerKey }[]): Promise<void>
  similar(tenant: TenantKey, keys: readonly CustomerKey[]): Promise<SimilarCustomers>
  /** Whose these names were as subjects, and when; those that never were are absent. Keys themselves are not looked up. */
  nameHistories(tenant: TenantKey, names: readonly string[]): Promise<ReadonlyMap<string, readonly NameAssignment[]>>
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
      has_appeared: ColumnType<boolean, boolean | undefined, boolean>
      adopted_by: ColumnType<string | null, undefined, string>
    }
    customer_subjects: { tenant: string; subject: string; customer: string; position: number }
  }
}

declare module '../changes.ts' {
  interface Topics {
    customers: CustomerKey
    /** By customer: other names are its own from now on. */
    customerNames: CustomerKey
  }
}

export function sqlCustomerStore(session: DatabaseSession): CustomerStore {
  return {
    put: (tenant, customer) =>
      session.write(async ({ db, announce }) => {
        const { key, name, email, subjects: _subjects, metadata, ...billing } = customer
        await lockNames(db, tenant, [key, ...customer.subjects])
        const adoptable = await selectAdoptable(db, tenant, customer.subjects, 'appeared')
        const refusal = (await refuseTakenNames(db, tenant, customer, adoptable)) ?? (await refuseAdopted(db, tenant, key))
        if (refusal !== null) return refusal
        const stored = (await selectCustomers(db, tenant, [key]))[0]
        if (stored !== undefined && hasSameContent(stored, customer)) {
          await db.updateTable('customers').set({ has_appeared: false }).where('tenant', '=', tenant).where('key', '=', key).execute()
          return { value: stored, result: 'same' }
        }
        const columns = { name, email, metadata: JSON.stringify(metadata), billing: JSON.stringify(billing), has_appeared: false }
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
        const had = new Set(stored?.subjects)
        const has = new Set(customer.subjects)
        const released = [...had].filter((subject) => !has.has(subject))
        const assigned = [...has].filter((subject) => !had.has(subject))
        await releaseNames(db, tenant, key, { names: released, nowMs: session.clock.now() })
        await assignNames(db, tenant, key, { names: assigned, nowMs: session.clock.now() })
        await markAdopted(db, tenant, key, { keys: [...adoptable], nowMs: session.clock.now() })
        if (stored?.graceMs !== customer.graceMs) await reconsiderCustomer(db, tenant, key, session.clock.now())
        if (released.length + assigned.length > 0) announce({ tenant, topic: 'customerNames', key })
        announce({ tenant, topic: 'customers', key })
        return { value: customer, result: stored === undefined ? 'created' : 'changed' }
      }),

    adopt: (tenant, key, other) =>
      session.write(async ({ db, announce }) => {
        await lockNames(db, tenant, [key, other])
        const customers = await selectCustomers(db, tenant, [key, other])
        const [asked, named] = [key, other].map((each) => customers.find((customer) => customer.key === each))
        if (asked === undefined) return refuse('unknown_customer', { customer: key })
        // The name has moved already.
        if (key === other) return asked
        if (named === undefined) return refuseField('customer', refuse('unknown_customer', { customer: other }))
        const adoptable = await selectAdoptable(db, tenant, [key, other])
        const [adopter, adopted] = adoptable.has(other) ? [asked, other] : [named, key]
        if (!adoptable.has(adopted)) return refuse('not_adoptable', { customer: other })
        const nowMs = session.clock.now()
        const position = adopter.subjects.length
        await db.insertInto('customer_subjects').values({ tenant, subject: adopted, customer: adopter.key, position }).execute()
        await assignNames(db, tenant, adopter.key, { names: [adopted], nowMs })
        await markAdopted(db, tenant, adopter.key, { keys: [adopted], nowMs })
        announce({ tenant, topic: 'customerNames', key: adopter.key })
        announce({ tenant, topic: 'customers', key: adopter.key })
        return { ...adopter, subjects: [...adopter.subjects, adopted] }
      }),

    get: (tenant, key) => session.snapshot(async (db) => (await selectCustomers(db, tenant, [key]))[0] ?? null),

    list: (tenant, page) =>
      session.snapshot(async (db) => {
        const rows = await db
          .selectFrom('customers')
          .select('key')
          .where('tenant', '=', tenant)
          .where('adopted_by', 'is', null)
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
          INSERT INTO customers (tenant, key, metadata, has_appeared)
          SELECT tenant, key, '{}', true FROM unnest(${customers.map(({ tenant }) => tenant)}::text[], ${customers.map(({ key }) => key)}::text[]) AS seen (tenant, key)
          ORDER BY tenant, key
          ON CONFLICT DO NOTHING RETURNING tenant, key`.execute(db)
        for (const { tenant, key } of created.rows) announce({ tenant, topic: 'customers', key })
        const adopted = await adoptNamed(db, created.rows, session.clock.now())
        for (const { tenant, adopter } of adopted) announce({ tenant, topic: 'customerNames', key: adopter })
      })
    },

    similar: (tenant, keys) => session.run((db) => selectSimilarCustomers(db, tenant, keys)),

    nameHistories: (tenant, names) => session.run((db) => selectNameHistories(db, tenant, names)),
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
    .where('adopted_by', 'is', null)
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

/** Its events stand in the log as its adopter's too: usage of a new customer with this key could not be told from them. */
async function refuseAdopted(db: Transaction<DatabaseTables>, tenant: TenantKey, key: CustomerKey): Promise<Refusal | null> {
  const row = await db.selectFrom('customers').select('adopted_by').where('tenant', '=', tenant).where('key', '=', key).executeTakeFirst()
  const adopter = row?.adopted_by ?? null
  return adopter === null ? null : refuseField('key', refuse('customer_adopted', { customer: key, adopter }))
}

/** `adoptable`: keys that may become subjects. */
async function refuseTakenNames(
  db: Transaction<DatabaseTables>,
  tenant: TenantKey,
  { key, subjects }: Customer,
  adoptable: ReadonlySet<string>,
): Promise<Refusal | null> {
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
    .where('adopted_by', 'is', null)
    .execute()
  /** The customer that a name is a subject of; null where the name is a customer's key. */
  const owners = new Map<string, string | null>([
    ...subjectsTaken.map(({ subject, customer }) => [subject, customer] as const),
    ...keysTaken.filter((row) => !adoptable.has(row.key)).map((row) => [row.key, null] as const),
  ])
  const errors = [{ name: key, field: 'key' }, ...subjects.map((name, index) => ({ name, field: `subjects[${index}]` }))].flatMap(
    ({ name, field }) => {
      const subjectOf = owners.get(name)
      return subjectOf === undefined ? [] : [{ field, refusal: refuse('subject_taken', { name, subjectOf }) }]
    },
  )
  return errors.length === 0 ? null : refuseFields('subject_taken', errors)
}
