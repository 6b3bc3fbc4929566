import { openCursor, sealCursor } from '../../base/sealed-cursor.ts'
import { RefusalError, refuse } from '../../domain/refusal.ts'

export type Page<Value> = {
  readonly data: readonly Value[]
  readonly nextCursor: string | null
  /** All records of the list; present when it was asked for. */
  readonly count?: number
}
export type PageRequest = {
  readonly limit: number
  readonly cursor?: string
  /** Count all records of the list too. */
  readonly count?: boolean
}

/** What a list holds and by which filter: a cursor goes on in its own list alone, as its place means nothing in another one. */
export type ListName = string & { readonly list: never }

/** Properties that are undefined do not filter. */
export function listName(what: string, filter: Readonly<Record<string, unknown>> = {}): ListName {
  const set = Object.entries(filter).filter(([, value]) => value !== undefined)
  return JSON.stringify([what, ...set.sort(([a], [b]) => (a < b ? -1 : 1))]) as ListName
}

/** `rows` has one more row than the page when there is a next page; the cursor is the last place shown. */
export function pageOf<Row, Value>(
  list: ListName,
  rows: readonly Row[],
  page: PageRequest,
  placeOf: (row: Row) => string,
  toValue: (row: Row) => Value,
): Page<Value> {
  const shown = rows.slice(0, page.limit)
  const last = shown.at(-1)
  const hasNext = rows.length > page.limit && last !== undefined
  return { data: shown.map(toValue), nextCursor: hasNext ? sealCursor(list, placeOf(last)) : null }
}

/** The key to read on from; '' for the first page, as it sorts before every key. */
export function keyAfter(list: ListName, page: PageRequest): string {
  if (page.cursor === undefined) return ''
  const key = openCursor(list, page.cursor)
  if (key === null) throw new RefusalError(refuse('invalid_cursor', {}))
  return key
}
