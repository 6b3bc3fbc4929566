import { sql, type Transaction } from 'kysely'
import type { Customer, CustomerRecord } from '../../../domain/catalog/customer.ts'
import { customerSearchText } from '../../../domain/catalog/customer-search.ts'
import type { CustomerKey, TenantKey } from '../../../domain/identity.ts'
import { type Outcome, type Refusal, refuse, refuseField, refuseFields } from '../../../domain/refusal.ts'
import { reconsiderCustomer } from '../billing-cursors/billing-cursor-store.ts'
import type { DatabaseSession, DatabaseTables, DatabaseTransaction } from '../database-session.ts'
import type { PutResult } from '../put-result.ts'
import { hasSameContent } from '../same-content.ts'
import { markAdopted, selectAdoptable } from './adoption-store.ts'
import { selectRecords } from './customer-rows.ts'
import { assignNames, type NameOwner, releaseNames } from './name-history.ts'

type Put = Outcome<PutResult<CustomerRecord>>

/** Puts each customer for itself; some twenty statements put any number whose names do not meet. */
export function putCustomers(session: DatabaseSession, tenant: TenantKey, customers: readonly Customer[]): Promise<readonly Put[]> {
  return session.write(async (trx) => {
    const puts: Put[] = []
    while (puts.length < customers.length) puts.push(...(await putRun(trx, tenant, runOfOwnNames(customers.slice(puts.length)))))
    return puts
  })
}

/** The first customers, up to one that names what an earlier one names: that one is decided when the earlier one is written. */
function runOfOwnNames(customers: readonly Customer[]): readonly Customer[] {
  const named = new Set<string>()
  const end = customers.findIndex((customer) => {
    const names = namesOf(customer)
    if (names.some((name) => named.has(name))) return true
    for (const name of names) named.add(name)
    return false
  })
  return end === -1 ? customers : customers.slice(0, end)
}

/** The same for names that an earlier one has and may give away. */
function runOfFreeNames(customers: readonly Customer[], ownerOf: (name: string) => string | null): readonly Customer[] {
  const earlier = new Set<string | null>()
  const end = customers.findIndex((customer) => {
    if (namesOf(customer).some((name) => earlier.has(ownerOf(name)))) return true
    earlier.add(customer.key)
    return false
  })
  return end === -1 ? customers : customers.slice(0, end)
}

function namesOf({ key, subjects }: Customer): readonly string[] {
  return [key, ...subjects]
}

/** Puts the first of these customers, at least one. */
async function putRun(trx: DatabaseTransaction, tenant: TenantKey, run: readonly Customer[]): Promise<readonly Put[]> {
  const { db, announce, clock } = trx
  const names = run.flatMap(namesOf)
  await lockNames(db, tenant, names)
  const adoptable = await selectAdoptable(
    db,
    tenant,
    run.flatMap((customer) => customer.subjects),
    'appeared',
  )
  const { ownerOf, refusalOf } = await readOwners(db, tenant, names, adoptable)
  const customers = runOfFreeNames(run, ownerOf)
  const keys = customers.map(({ key }) => key)
  const stored = new Map((await selectRecords(db, tenant, keys)).map((record) => [record.key, record]))
  const nowMs = clock.now()
  const puts = customers.map((customer): Put => {
    const refusal = refusalOf(customer)
    if (refusal !== null) return refusal
    const before = stored.get(customer.key)
    if (before === undefined) return { value: { ...customer, createdMs: nowMs, updatedMs: nowMs, archivedMs: null }, result: 'created' }
    const { createdMs, archivedMs, updatedMs } = before
    const after = { ...customer, createdMs, updatedMs, archivedMs }
    if (hasSameContent(before, after)) return { value: before, result: 'same' }
    return { value: { ...after, updatedMs: nowMs }, result: 'changed' }
  })
  const taken = puts.flatMap((put) => ('result' in put ? [put] : []))
  await settleAppeared(db, tenant, taken)
  const written = taken.flatMap(({ value, result }) => (result === 'same' ? [] : [value]))
  await writeCustomers(db, tenant, written)
  await writeSubjects(db, tenant, written, stored)
  const { released, assigned } = movedNames(written, stored)
  await releaseNames(db, tenant, released, nowMs)
  await assignNames(db, tenant, assigned, nowMs)
  for (const { key, subjects, graceMs } of written) {
    await markAdopted(db, tenant, key, { keys: subjects.filter((subject) => adoptable.has(subject)), nowMs })
    if (stored.get(key)?.graceMs !== graceMs) await reconsiderCustomer(db, tenant, key, nowMs)
  }
  for (const key of new Set([...released, ...assigned].map(({ customer }) => customer))) announce({ tenant, topic: 'customerNames', key })
  for (const { key } of written) announce({ tenant, topic: 'customers', key })
  return puts
}

/** Somebody has said something about these: they are not adopted any more by a subject alone. */
async function settleAppeared(
  db: Transaction<DatabaseTables>,
  tenant: TenantKey,
  puts: readonly PutResult<CustomerRecord>[],
): Promise<void> {
  const same = puts.flatMap(({ value, result }) => (result === 'same' ? [value.key] : []))
  if (same.length === 0) return
  await sql`
    UPDATE customers SET has_appeared = false WHERE tenant = ${tenant} AND key = ANY(${same}) AND has_appeared`.execute(db)
}

async function writeCustomers(db: Transaction<DatabaseTables>, tenant: TenantKey, customers: readonly CustomerRecord[]): Promise<void> {
  if (customers.length === 0) return
  const rows = customers.map((customer) => {
    const { key, name, email, subjects: _subjects, metadata, createdMs, updatedMs, archivedMs: _archivedMs, ...billing } = customer
    const times = { created_at: new Date(createdMs), updated_at: new Date(updatedMs) }
    return { key, name, email, metadata, billing, search_text: customerSearchText(customer), ...times }
  })
  await sql`
    INSERT INTO customers (tenant, key, name, email, metadata, billing, search_text, has_appeared, created_at, updated_at)
    SELECT ${tenant}::text, key, name, email, metadata, billing, search_text, false, created_at, updated_at
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS rows (key text, name text, email text, metadata jsonb, billing jsonb,
      search_text text, created_at timestamptz, updated_at timestamptz)
    ON CONFLICT (tenant, key) DO UPDATE SET name = EXCLUDED.name, email = EXCLUDED.email, metadata = EXCLUDED.metadata,
      billing = EXCLUDED.billing, search_text = EXCLUDED.search_text, has_appeared = false, updated_at = EXCLUDED.updated_at`.execute(db)
}

type StoredCustomers = ReadonlyMap<CustomerKey, CustomerRecord>

async function writeSubjects(
  db: Transaction<DatabaseTables>,
  tenant: TenantKey,
  customers: readonly CustomerRecord[],
  stored: StoredCustomers,
): Promise<void> {
  const had = customers.flatMap(({ key }) => ((stored.get(key)?.subjects.length ?? 0) > 0 ? [key] : []))
  if (had.length > 0) await sql`DELETE FROM customer_subjects WHERE tenant = ${tenant} AND customer = ANY(${had})`.execute(db)
  const rows = customers.flatMap(({ key, subjects }) => subjects.map((subject, position) => ({ customer: key, subject, position })))
  if (rows.length === 0) return
  await sql`
    INSERT INTO customer_subjects (tenant, customer, subject, position)
    SELECT ${tenant}::text, customer, subject, position
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS rows (customer text, subject text, position integer)`.execute(db)
}

function movedNames(
  customers: readonly CustomerRecord[],
  stored: StoredCustomers,
): { readonly released: readonly NameOwner[]; readonly assigned: readonly NameOwner[] } {
  const without = (names: readonly string[], others: readonly string[], customer: CustomerKey): readonly NameOwner[] => {
    const left = new Set(others)
    return names.filter((name) => !left.has(name)).map((name) => ({ name, customer }))
  }
  const before = (key: CustomerKey) => stored.get(key)?.subjects ?? []
  return {
    released: customers.flatMap(({ key, subjects }) => without(before(key), subjects, key)),
    assigned: customers.flatMap(({ key, subjects }) => without(subjects, before(key), key)),
  }
}

/**
 * A name is a key or a subject. A writer that claims names waits here for others that claim the same ones, in one order, so that
 * two customers cannot both get a name.
 */
export async function lockNames(db: Transaction<DatabaseTables>, tenant: TenantKey, names: readonly string[]): Promise<void> {
  await sql`
    SELECT pg_advisory_xact_lock(lock) FROM (
      SELECT DISTINCT hashtextextended(${tenant}::text || ' ' || name, 0) AS lock FROM unnest(${[...names]}::text[]) AS name ORDER BY 1
    ) AS locks`.execute(db)
}

/** Whose names are as subjects, and why a customer cannot have its own; `adoptable`: keys that may become subjects. */
async function readOwners(
  db: Transaction<DatabaseTables>,
  tenant: TenantKey,
  names: readonly string[],
  adoptable: ReadonlySet<string>,
): Promise<{ ownerOf: (name: string) => string | null; refusalOf: (customer: Customer) => Refusal | null }> {
  const named = sql<string>`ANY(${[...names]})`
  const subjects = await db
    .selectFrom('customer_subjects')
    .select(['subject', 'customer'])
    .where('tenant', '=', tenant)
    .where('subject', '=', named)
    .execute()
  const keys = await db
    .selectFrom('customers')
    .select(['key', 'adopted_by'])
    .where('tenant', '=', tenant)
    .where('key', '=', named)
    .execute()
  const owners = new Map(subjects.map(({ subject, customer }) => [subject, customer]))
  const adopters = new Map(keys.map(({ key, adopted_by }) => [key, adopted_by]))
  const ownerOf = (name: string) => owners.get(name) ?? null
  const refusalOf = ({ key, subjects }: Customer) => {
    const errors = [
      { name: key as string, field: 'key' },
      ...subjects.map((name, index) => ({ name, field: `subjects[${index}]` })),
    ].flatMap(({ name, field }) => {
      const subjectOf = owners.get(name) ?? null
      const isOthers = subjectOf !== null && subjectOf !== key
      const isOtherKey = name !== key && adopters.get(name) === null && !adoptable.has(name)
      return isOthers || isOtherKey ? [{ field, refusal: refuse('subject_taken', { name, subjectOf: isOtherKey ? null : subjectOf }) }] : []
    })
    if (errors.length > 0) return refuseFields('subject_taken', errors)
    // Its events stand in the log as its adopter's too: usage of a new customer with this key could not be told from them.
    const adopter = adopters.get(key) ?? null
    return adopter === null ? null : refuseField('key', refuse('customer_adopted', { customer: key, adopter }))
  }
  return { ownerOf, refusalOf }
}
