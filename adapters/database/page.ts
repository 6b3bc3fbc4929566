import { openCursor, sealCursor } from '../../base/sealed-cursor.ts'
import { RefusalError, refuse } from '../../domain/refusal.ts'

export type Page<Value> = { readonly data: readonly Value[]; readonly nextCursor: string | null }
export type PageRequest = { readonly limit: number; readonly cursor?: string }

/** `rows` has one more row than the page when there is a next page; the cursor is the last key shown. */
export function pageOf<Row, Value>(
  rows: readonly Row[],
  page: PageRequest,
  keyOf: (row: Row) => string,
  toValue: (row: Row) => Value,
): Page<Value> {
  const shown = rows.slice(0, page.limit)
  const last = shown.at(-1)
  const hasNext = rows.length > page.limit && last !== undefined
  return { data: shown.map(toValue), nextCursor: hasNext ? sealCursor(LIST, keyOf(last)) : null }
}

/** The key to read on from; '' for the first page, as it sorts before every key. */
export function keyAfter(page: PageRequest): string {
  if (page.cursor === undefined) return ''
  const key = openCursor(LIST, page.cursor)
  if (key === null) throw new RefusalError(refuse('invalid_cursor', {}))
  return key
}

/** All lists of tables go on from a key. */
const LIST = 'keys'
