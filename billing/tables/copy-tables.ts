import type { AnalystChange, AnalystChangeStore } from '../../adapters/database/analyst-changes/analyst-change-store.ts'
import type { AnalystRowsReader } from '../../adapters/database/analyst-rows/analyst-rows-reader.ts'
import type { AnalystTable, AnalystTables } from '../../adapters/usage-store/usage-store.ts'
import type { TenantKey } from '../../domain/identity.ts'
import { type ExportRow, invoiceLineRows, invoiceRow, ledgerEntryRow } from '../exports/export-rows.ts'

export type CopyTablesDeps = {
  readonly changes: AnalystChangeStore
  readonly rows: AnalystRowsReader
  readonly tables: AnalystTables
}

/** Rows of the queue that are copied together; one is of the objects of a statement, up to some hundred. */
const CHANGES_PER_COPY = 50

/**
 * Copies what has changed to the tables of analysts, until nothing is left or the signal ends it; answers how many objects. Rows are
 * written first and the changes removed last: a copy that is killed in between is made again, and of two copies of an object the one
 * that shows the later change holds.
 */
export async function copyTables({ changes, rows, tables }: CopyTablesDeps, signal?: AbortSignal): Promise<number> {
  let copied = 0
  for (;;) {
    const taken = signal?.aborted === true ? [] : await changes.oldest(CHANGES_PER_COPY)
    if (taken.length === 0) return copied
    const written = new Map<AnalystTable, ExportRow[]>()
    for (const together of Map.groupBy(taken, ({ tenant, kind }) => `${kind} ${tenant}`).values()) {
      const versions = versionsOf(together)
      copied += versions.size
      for (const [table, own] of await readRows(rows, together[0], versions)) written.set(table, [...(written.get(table) ?? []), ...own])
    }
    for (const [table, own] of written) await tables.write(table, own)
    await changes.remove(taken)
  }
}

/** Everything anew, from nothing: what the tables hold goes first. */
export async function rebuildTables(deps: CopyTablesDeps): Promise<number> {
  await deps.tables.empty()
  await deps.changes.addEverything()
  return await copyTables(deps)
}

/** The last change of each object. */
function versionsOf(changes: readonly AnalystChange[]): ReadonlyMap<string, number> {
  return new Map(changes.flatMap(({ id, objects }) => objects.map((object) => [object, id] as const)))
}

type Rows = readonly (readonly [AnalystTable, readonly ExportRow[]])[]

/** The objects as they are now. */
async function readRows(reader: AnalystRowsReader, of: AnalystChange | undefined, versions: ReadonlyMap<string, number>): Promise<Rows> {
  if (of === undefined) return []
  const { tenant, kind } = of
  const objects = [...versions.keys()]
  const kept = (object: string, row: ExportRow) => ({ tenant, ...row, version: String(versions.get(object)) })
  switch (kind) {
    case 'invoice': {
      const documents = await reader.documents(tenant, objects)
      return [
        ['book_lines', documents.flatMap((each) => invoiceLineRows(each).map((row) => kept(each.id, renamed(LINES, row))))],
        ['book_invoices', documents.map((each) => kept(each.id, renamed(INVOICES, invoiceRow(each))))],
      ]
    }
    case 'ledger': {
      const entries = await reader.entries(tenant, objects)
      return [['book_entries', entries.map((each) => kept(each.source, renamed(ENTRIES, ledgerEntryRow(each))))]]
    }
    case 'customer':
      return [['catalog_customers', await catalogRows(reader, kind, tenant, objects, kept)]]
    case 'plan':
      return [['catalog_plans', await catalogRows(reader, kind, tenant, objects, kept)]]
    case 'subscription':
      return [['catalog_subscriptions', await catalogRows(reader, kind, tenant, objects, kept)]]
  }
}

async function catalogRows(
  reader: AnalystRowsReader,
  kind: 'customer' | 'plan' | 'subscription',
  tenant: TenantKey,
  objects: readonly string[],
  kept: (object: string, row: ExportRow) => ExportRow,
): Promise<readonly ExportRow[]> {
  return (await reader.catalog(kind, tenant, objects)).map((row) => kept(row[kind] ?? '', row))
}

/** Column of a table to the column of an export that it shows. */
type Columns = Readonly<Record<string, string>>

const DOCUMENT = { number: 'number', document: 'document', status: 'status', customer: 'customer', subscription: 'subscription' }
const AMOUNTS = { discount: 'discount', credits: 'credits', net: 'net', tax: 'tax' }
const INVOICES: Columns = {
  ...{ id: 'id', kind: 'kind', currency: 'currency', closes_at: 'closesAt', finalised_at: 'finalisedAt', due_at: 'dueAt' },
  ...{ ...DOCUMENT, ...AMOUNTS, subtotal: 'subtotal', total: 'total', balance_applied: 'balanceApplied', due: 'due', paid: 'paid' },
}
const LINES: Columns = {
  ...{ invoice: 'invoice', line: 'line', kind: 'kind', currency: 'currency', closes_at: 'closesAt', item: 'item', feature: 'feature' },
  ...{ ...DOCUMENT, ...AMOUNTS, plan: 'plan', plan_version: 'planVersion', service_from: 'from', service_to: 'to' },
  ...{
    quantity: 'quantity',
    amount: 'amount',
    meter: 'meter',
    log_partition: 'partition',
    offset_from: 'offsetFrom',
    offset_to: 'offsetTo',
  },
}
const ENTRIES: Columns = {
  ...{ source: 'source', position: 'position', posted_at: 'postedAt', customer: 'customer', currency: 'currency' },
  ...{ account: 'account', amount: 'amount', credit: 'credit' },
}

/** Instants as the engine reads them: in UTC, without a zone. */
function renamed(columns: Columns, row: ExportRow): ExportRow {
  return Object.fromEntries(
    Object.entries(columns).map(([column, from]) => {
      const value = row[from] ?? null
      return [column, value !== null && INSTANTS.has(column) ? value.replace('T', ' ').replace('Z', '') : value]
    }),
  )
}

const INSTANTS = new Set(['closes_at', 'finalised_at', 'due_at', 'posted_at', 'service_from', 'service_to'])
