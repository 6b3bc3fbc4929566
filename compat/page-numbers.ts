import { createBoundedMap } from '../base/bounds/bounded-map.ts'
import type { OwnPage, OwnQuery } from './own-routes.ts'
import { refuseInput } from './refuse-input.ts'

export type NumberedPage<Item> = { readonly items: readonly Item[]; readonly count: number }

export type PageNumbers = {
  /**
   * Page `page`, from 1, of a list of ours, which goes on by cursors. A page behind the end is empty. `list` names the list and its
   * owner. Refuses a page that is further in than `SKIPPED_MAX` records from the nearest page that was read before.
   */
  read<Item>(list: string, wanted: { page: number; pageSize: number }, readPage: ReadPage<Item>): Promise<NumberedPage<Item>>
}

type ReadPage<Item> = (query: OwnQuery & { readonly limit: number }) => Promise<OwnPage<Item>>

/** Who reads page after page goes on where the page before ended; who jumps skips records, and so many are skipped at most. */
export const SKIPPED_MAX = 20_000
const SKIPPED_AT_ONCE = 1_000
/** Ends of pages that are remembered. */
const ENDS_MAX = 4_096

export function createPageNumbers(): PageNumbers {
  const ends = createBoundedMap<string, string>(ENDS_MAX)
  return {
    async read(list, { page, pageSize }, readPage) {
      const endOf = (number: number) => JSON.stringify([list, pageSize, number])
      const end = page === 1 ? undefined : ends.get(endOf(page - 1))
      let after = end === undefined ? {} : { cursor: end }
      let skip = end === undefined ? (page - 1) * pageSize : 0
      if (skip > 0) {
        // Counted first: a page number of ten million reads nothing.
        const { count = 0 } = await readPage({ limit: 1, count: true })
        if (skip >= count) return { items: [], count }
        if (skip > SKIPPED_MAX) return tooFar(page, pageSize)
      }
      while (skip > 0) {
        const limit = Math.min(skip, SKIPPED_AT_ONCE)
        const { nextCursor, count = 0 } = await readPage({ ...after, limit, count: true })
        if (nextCursor === null) return { items: [], count }
        after = { cursor: nextCursor }
        skip -= limit
      }
      const { data, nextCursor, count = data.length } = await readPage({ ...after, limit: pageSize, count: true })
      if (nextCursor !== null) ends.set(endOf(page), nextCursor)
      return { items: data, count }
    },
  }
}

function tooFar(page: number, pageSize: number): never {
  const detail = `page ${page} of ${pageSize} lies more than ${SKIPPED_MAX} records in; read page after page, or narrow the list`
  return refuseInput('page', detail)
}
