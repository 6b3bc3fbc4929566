import { sql } from 'kysely'
import { invariant } from '../../../base/invariant.ts'
import type { Customer, CustomerRecord } from '../../../domain/catalog/customer.ts'
import type { NameAssignment } from '../../../domain/catalog/customer-name.ts'
import type { CustomerKey, TenantKey } from '../../../domain/identity.ts'
import { type Outcome, refuse, refuseField } from '../../../domain/refusal.ts'
import { type Archiver, archiver } from '../archiver.ts'
import type { DatabaseSession } from '../database-session.ts'
import type { Lookup } from '../keyed-rows.ts'
import type { Page, PageRequest } from '../page.ts'
import type { PutResult } from '../put-result.ts'
import { adoptNamed, markAdopted, selectAdoptable } from './adoption-store.ts'
import { selectRecords } from './customer-rows.ts'
import { type CustomerFilter, listCustomerKeys } from './list-customers.ts'
import { assignNames, selectNameHistories } from './name-history.ts'
import { lockNames, putCustomers } from './put-customers.ts'
import { type SimilarCustomers, selectSimilarCustomers } from './similar-customers.ts'

export type CustomerStore = Lookup<CustomerKey, CustomerRecord> &
  Archiver<CustomerKey, CustomerRecord> & {
    /**
     * A subject that is the key of a customer which has only appeared by itself adopts that customer. Refuses `subject_taken` when
     * a subject is another customer's key or subject, and `customer_adopted` when the key is an adopted customer's.
     */
    put(tenant: TenantKey, customer: Customer): Promise<Outcome<PutResult<CustomerRecord>>>
    /** Puts each for itself, in order, in one transaction: one that is refused keeps none of the others. */
    putAll(tenant: TenantKey, customers: readonly Customer[]): Promise<readonly Outcome<PutResult<CustomerRecord>>[]>
    /**
     * One of the two adopts the other, of which nothing but usage is known: it becomes a subject of its adopter. Refuses
     * `unknown_customer`, `not_adoptable`.
     */
    adopt(tenant: TenantKey, key: CustomerKey, other: CustomerKey): Promise<Outcome<CustomerRecord>>
    /** Newest first, unless the filter says how. */
    list(tenant: TenantKey, page: PageRequest, filter?: CustomerFilter): Promise<Page<CustomerRecord>>
    /** Creates the customers that do not exist, with nothing but a key; for customers first seen in events. */
    ensure(customers: readonly { readonly tenant: TenantKey; readonly key: CustomerKey }[]): Promise<void>
    similar(tenant: TenantKey, keys: readonly CustomerKey[]): Promise<SimilarCustomers>
    /** Whose these names were as subjects, and when; those that never were are absent. Keys themselves are not looked up. */
    nameHistories(tenant: TenantKey, names: readonly string[]): Promise<ReadonlyMap<string, readonly NameAssignment[]>>
  }

declare module '../changes.ts' {
  interface Topics {
    customers: CustomerKey
    /** By customer: other names are its own from now on. */
    customerNames: CustomerKey
  }
}

export function sqlCustomerStore(session: DatabaseSession): CustomerStore {
  const get: CustomerStore['get'] = (tenant, key) => session.snapshot(async (db) => (await selectRecords(db, tenant, [key]))[0] ?? null)
  return {
    get,
    archive: archiver(session, 'customers', get),
    putAll: (tenant, customers) => putCustomers(session, tenant, customers),

    async put(tenant, customer) {
      const [put] = await putCustomers(session, tenant, [customer])
      invariant(put !== undefined, 'each customer that is put has an outcome')
      return put
    },

    adopt: (tenant, key, other) =>
      session.write(async ({ db, announce }) => {
        await lockNames(db, tenant, [key, other])
        const customers = await selectRecords(db, tenant, [key, other])
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
        await assignNames(db, tenant, [{ name: adopted, customer: adopter.key }], nowMs)
        await markAdopted(db, tenant, adopter.key, { keys: [adopted], nowMs })
        announce({ tenant, topic: 'customerNames', key: adopter.key })
        announce({ tenant, topic: 'customers', key: adopter.key })
        return { ...adopter, subjects: [...adopter.subjects, adopted] }
      }),

    list: (tenant, page, filter = {}) =>
      session.snapshot(async (db) => {
        const { data: keys, ...found } = await listCustomerKeys(db, tenant, page, filter)
        const records = new Map((await selectRecords(db, tenant, keys)).map((record) => [record.key, record]))
        return { ...found, data: keys.flatMap((key) => records.get(key) ?? []) }
      }),

    async ensure(customers) {
      for (let from = 0; from < customers.length; from += ENSURED_AT_ONCE) {
        await ensureSome(session, customers.slice(from, from + ENSURED_AT_ONCE))
      }
    },

    similar: (tenant, keys) => session.run((db) => selectSimilarCustomers(db, tenant, keys)),

    nameHistories: (tenant, names) => session.run((db) => selectNameHistories(db, tenant, names)),
  }
}

/** Customers made in one statement, which in the embedded engine nothing interrupts. */
export const ENSURED_AT_ONCE = 500

function ensureSome(session: DatabaseSession, customers: Parameters<CustomerStore['ensure']>[0]): Promise<void> {
  return session.write(async ({ db, announce }) => {
    // Sorted, so that two processes that see the same new customers do not deadlock.
    const created = await sql<{ tenant: TenantKey; key: CustomerKey }>`
      INSERT INTO customers (tenant, key, metadata, has_appeared, created_at, updated_at)
      SELECT tenant, key, '{}', true, now, now FROM unnest(${customers.map(({ tenant }) => tenant)}::text[], ${customers.map(({ key }) => key)}::text[]) AS seen (tenant, key), (SELECT ${new Date(session.clock.now())}::timestamptz AS now) AS clock
      ORDER BY tenant, key
      ON CONFLICT DO NOTHING RETURNING tenant, key`.execute(db)
    for (const { tenant, key } of created.rows) announce({ tenant, topic: 'customers', key })
    const adopted = await adoptNamed(db, created.rows, session.clock.now())
    for (const { tenant, adopter } of adopted) announce({ tenant, topic: 'customerNames', key: adopter })
  })
}
