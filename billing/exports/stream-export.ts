import { stringify } from 'csv-stringify/sync'
import type { BookExportReader, DocumentPlace, EntryPlace, Stretch } from '../../adapters/database/book-exports/book-export-reader.ts'
import { openCursor, sealCursor } from '../../base/sealed-cursor.ts'
import type { InstantMs, TenantKey } from '../../domain/identity.ts'
import { type Outcome, refuse } from '../../domain/refusal.ts'
import { EXPORT_COLUMNS, type ExportKind, type ExportRow, invoiceLineRows, invoiceRow, ledgerEntryRow } from './export-rows.ts'

export type ExportFormat = 'csv' | 'ndjson'
export type ExportRequest = Stretch & {
  readonly tenant: TenantKey
  readonly format: ExportFormat
  /** The `cursor` of the last row that arrived: the export goes on behind it. */
  readonly cursor: string | undefined
}

/** Rows in memory at once. */
const DOCUMENTS_PER_PAGE = 500
const ENTRIES_PER_PAGE = 2_000

/**
 * An export as text, a page of rows at a time: each is read when the one before has been taken, so it needs the memory of a page,
 * whatever the length. Every row ends with the cursor to go on from behind it. Refuses `invalid_cursor`.
 */
export function streamExport(reader: BookExportReader, kind: ExportKind, request: ExportRequest): Outcome<AsyncIterable<string>> {
  const { cursor } = request
  const place = cursor === undefined ? null : openCursor(kind, cursor)
  if (cursor !== undefined && place === null) return refuse('invalid_cursor', {})
  const pages = kind === 'ledger-entries' ? entryPages(reader, request, place) : documentPages(reader, kind, request, place)
  return request.format === 'csv' ? csv(kind, pages, cursor === undefined) : ndjson(pages)
}

async function* documentPages(
  reader: BookExportReader,
  kind: 'invoices' | 'invoice-lines',
  { tenant, ...stretch }: ExportRequest,
  place: string | null,
): AsyncIterable<readonly ExportRow[]> {
  const [closesAtMs, id = '', line = '0'] = place?.split(' ') ?? []
  const resumed: DocumentPlace | null = closesAtMs === undefined ? null : { closesAtMs: Number(closesAtMs) as InstantMs, id }
  // Lines go on within a document: it is read again, from before it.
  let after: DocumentPlace | null = resumed === null || kind === 'invoices' ? resumed : { ...resumed, id: beforeId(id) }
  for (;;) {
    const documents = await reader.documents(tenant, stretch, after, DOCUMENTS_PER_PAGE)
    const last = documents.at(-1)
    if (last === undefined) return
    yield documents.flatMap((document) => {
      const at = `${document.closesAtMs} ${document.id}`
      if (kind === 'invoices') return [{ ...invoiceRow(document), cursor: sealCursor(kind, at) }]
      const rows: readonly ExportRow[] = invoiceLineRows(document).map((row) => ({ ...row, cursor: sealCursor(kind, `${at} ${row.line}`) }))
      if (document.closesAtMs !== resumed?.closesAtMs || document.id > id) return rows
      return document.id === id ? rows.filter((row) => Number(row.line) > Number(line)) : []
    })
    after = last
  }
}

async function* entryPages(
  reader: BookExportReader,
  { tenant, ...stretch }: ExportRequest,
  place: string | null,
): AsyncIterable<readonly ExportRow[]> {
  let after = place === null ? null : (JSON.parse(place) as EntryPlace)
  for (;;) {
    const entries = await reader.entries(tenant, stretch, after, ENTRIES_PER_PAGE)
    const last = entries.at(-1)
    if (last === undefined) return
    yield entries.map((entry) => {
      const { postedAtMs, source, position } = entry
      return { ...ledgerEntryRow(entry), cursor: sealCursor('ledger-entries', JSON.stringify({ postedAtMs, source, position })) }
    })
    after = last
  }
}

async function* ndjson(pages: AsyncIterable<readonly ExportRow[]>): AsyncIterable<string> {
  for await (const rows of pages) if (rows.length > 0) yield `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`
}

/** The header stands once, before the first row that there is; a resumed export has none, as its rows are put behind others. */
async function* csv(kind: ExportKind, pages: AsyncIterable<readonly ExportRow[]>, hasHeader: boolean): AsyncIterable<string> {
  let header = hasHeader
  for await (const rows of pages) {
    if (rows.length === 0) continue
    yield stringify([...rows], { header, columns: [...EXPORT_COLUMNS[kind]], escape_formulas: true, cast: { string: castText } })
    header = false
  }
  if (header) yield `${EXPORT_COLUMNS[kind].join(',')}\n`
}

/** A spreadsheet would run a text that begins like a formula; a number below zero is none. */
function castText(value: string) {
  return NEGATIVE_DECIMAL.test(value) ? { value, escape_formulas: false } : value
}
const NEGATIVE_DECIMAL = /^-\d+(\.\d+)?$/

/** A text that sorts before the id, and behind few others. */
function beforeId(id: string): string {
  return id.slice(0, -1)
}
