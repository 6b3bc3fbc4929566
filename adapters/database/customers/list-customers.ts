import { type Kysely, type RawBuilder, sql } from 'kysely'
import { type CustomerSort, foldCase } from '../../../domain/catalog/customer-search.ts'
import type { ArchivedFilter } from '../../../domain/catalog/record-times.ts'
import type { CustomerKey, TenantKey } from '../../../domain/identity.ts'
import type { DatabaseTables } from '../database-session.ts'
import { archivedIs, countOf, onlyCount } from '../keyed-rows.ts'
import { keyAfter, type ListName, listName, type Page, type PageRequest, pageOf } from '../page.ts'

export type CustomerFilter = {
  /** Part of the key, the name, the e-mail or a value of the metadata in any case, or the whole of a subject. */
  readonly search?: string | undefined
  /** The whole of it, in any case. */
  readonly name?: string | undefined
  readonly email?: string | undefined
  /** Property to its text, number or boolean, as text. */
  readonly metadata?: Readonly<Record<string, string>>
  readonly archived?: ArchivedFilter
  readonly sort?: CustomerSort | undefined
}

/** Keys in the order of the list; adopted customers are left out. */
export async function listCustomerKeys(
  db: Kysely<DatabaseTables>,
  tenant: TenantKey,
  page: PageRequest,
  filter: CustomerFilter,
): Promise<Page<CustomerKey>> {
  const { sort = '-createdAt' } = filter
  const list = listName('customers', { ...filter, sort })
  const listed = sql`customers WHERE tenant = ${tenant} AND adopted_by IS NULL${archivedIs(filter.archived)}${conditionsOf(tenant, filter)}`
  const order = sort === 'key' ? sql`key` : sql`created_at DESC, key DESC`
  const { rows } = await sql<{ key: CustomerKey; created_at: Date }>`
    SELECT key, created_at FROM ${listed}${after(list, page, sort)} ORDER BY ${order} LIMIT ${page.limit + 1}`.execute(db)
  const placeOf = (row: { key: string; created_at: Date }) => (sort === 'key' ? row.key : `${row.created_at.getTime()} ${row.key}`)
  const found = pageOf(list, rows, page, placeOf, ({ key }) => key)
  return page.count === true ? { ...found, count: await countOf(listed).execute(db).then(onlyCount) } : found
}

function after(list: ListName, page: PageRequest, sort: CustomerSort): RawBuilder<unknown> {
  const place = keyAfter(list, page)
  if (place === '') return sql``
  if (sort === 'key') return sql` AND key > ${place}`
  const at = place.indexOf(' ')
  return sql` AND (created_at, key) < (${new Date(Number(place.slice(0, at)))}::timestamptz, ${place.slice(at + 1)})`
}

function conditionsOf(tenant: TenantKey, { search, name, email, metadata = {} }: CustomerFilter): RawBuilder<unknown> {
  const conditions = [
    ...(name === undefined ? [] : [sql`name IS NOT NULL AND lower(name) = lower(${name})`]),
    ...(email === undefined ? [] : [sql`email IS NOT NULL AND lower(email) = lower(${email})`]),
    ...Object.entries(metadata).map(([property, value]) => metadataIs(property, value)),
    ...(search === undefined ? [] : [searched(tenant, search)]),
  ]
  return sql.join(
    conditions.map((condition) => sql` AND (${condition})`),
    sql``,
  )
}

function searched(tenant: TenantKey, search: string): RawBuilder<unknown> {
  const part = sql`strpos(coalesce(search_text, lower(key)), ${foldCase(search)}) > 0`
  const bySubject = sql`key IN (SELECT customer FROM customer_subjects WHERE customer_subjects.tenant = ${tenant} AND subject = ${search})`
  return sql`${part} OR ${bySubject}`
}

/** The first condition is that of the index. */
function metadataIs(property: string, text: string): RawBuilder<unknown> {
  const values = /^(true|false|-?(0|[1-9]\d{0,14})(\.\d{1,9})?)$/.test(text) ? [text, JSON.parse(text)] : [text]
  const equals = values.map((value) => sql`metadata @> ${JSON.stringify({ [property]: value })}::jsonb`)
  return sql`metadata <> '{}' AND (${sql.join(equals, sql` OR `)})`
}
