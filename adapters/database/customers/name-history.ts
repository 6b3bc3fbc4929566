import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely'
import type { NameAssignment } from '../../../domain/catalog/customer-name.ts'
import type { CustomerKey, InstantMs, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseTables } from '../database-session.ts'

declare module '../database-session.ts' {
  interface DatabaseTables {
    customer_names: { tenant: string; name: string; from_at: Date; until_at: Date | null; customer: string }
  }
}

/** Names that never were a subject are absent. */
export async function selectNameHistories(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  names: readonly string[],
): Promise<ReadonlyMap<string, readonly NameAssignment[]>> {
  const rows = await db
    .selectFrom('customer_names')
    .select(['name', 'customer', 'from_at', 'until_at'])
    .where('tenant', '=', tenant)
    .where('name', '=', sql<string>`ANY(${[...names]})`)
    .orderBy('name')
    .orderBy('from_at')
    .execute()
  const histories = new Map<string, NameAssignment[]>()
  for (const { name, customer, from_at, until_at } of rows) {
    const assignment = {
      customer: customer as CustomerKey,
      fromMs: from_at.getTime() as InstantMs,
      untilMs: until_at === null ? null : (until_at.getTime() as InstantMs),
    }
    const history = histories.get(name)
    if (history === undefined) histories.set(name, [assignment])
    else history.push(assignment)
  }
  return histories
}

export type NameOwner = { readonly name: string; readonly customer: CustomerKey }

/** Customers have these names from now on, or from when another lost them; no event is in between. What still had one by adoption has it until now. */
export async function assignNames(
  db: Transaction<DatabaseTables>,
  tenant: TenantKey,
  wanted: readonly NameOwner[],
  nowMs: InstantMs,
): Promise<void> {
  if (wanted.length === 0) return
  await endAssignments(db, tenant, sql`customer_names.customer <> wanted.customer`, wanted, nowMs)
  await sql`
    INSERT INTO customer_names (tenant, name, customer, from_at)
    SELECT ${tenant}, wanted.name, wanted.customer, coalesce(
      (SELECT max(until_at) FROM customer_names AS before WHERE before.tenant = ${tenant} AND before.name = wanted.name), to_timestamp(0))
    FROM ${rowsOf(wanted)}
    ON CONFLICT (tenant, name) WHERE until_at IS NULL DO NOTHING`.execute(db)
}

/** Customers have these names until now. An adopted customer's key stays its adopter's until another customer takes it. */
export async function releaseNames(
  db: Transaction<DatabaseTables>,
  tenant: TenantKey,
  released: readonly NameOwner[],
  nowMs: InstantMs,
): Promise<void> {
  const isKept = sql`EXISTS (SELECT FROM customers WHERE customers.tenant = ${tenant} AND key = customer_names.name AND adopted_by IS NOT NULL)`
  await endAssignments(db, tenant, sql`customer_names.customer = wanted.customer AND NOT ${isKept}`, released, nowMs)
}

async function endAssignments(
  db: Transaction<DatabaseTables>,
  tenant: TenantKey,
  which: RawBuilder<unknown>,
  names: readonly NameOwner[],
  nowMs: InstantMs,
): Promise<void> {
  if (names.length === 0) return
  // A clock that was set back ends no assignment before it began.
  await sql`
    UPDATE customer_names SET until_at = greatest(${new Date(nowMs)}::timestamptz, from_at + interval '1 millisecond')
    FROM ${rowsOf(names)}
    WHERE customer_names.tenant = ${tenant} AND until_at IS NULL AND customer_names.name = wanted.name AND ${which}`.execute(db)
}

function rowsOf(owners: readonly NameOwner[]): RawBuilder<unknown> {
  return sql`unnest(${owners.map(({ name }) => name)}::text[], ${owners.map(({ customer }) => customer)}::text[]) AS wanted (name, customer)`
}
