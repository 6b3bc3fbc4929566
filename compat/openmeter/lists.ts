import type { NumberedPage } from '../page-numbers.ts'
import { PAGE, wholeNumber } from '../whole-number.ts'

export type Query = Readonly<Record<string, unknown>>
export type WantedPage = { readonly page: number; readonly pageSize: number }

const PAGE_SIZE = { usual: 100, most: 1_000 }

/** `?page=1&pageSize=100`. */
export function pageOf(query: unknown): WantedPage {
  const { page, pageSize } = query as Query
  return { page: wholeNumber(page, 'page', PAGE), pageSize: wholeNumber(pageSize, 'pageSize', PAGE_SIZE) }
}

export function pageJson<Item>({ page, pageSize }: WantedPage, { items, count }: NumberedPage<Item>) {
  return { items, page, pageSize, totalCount: count }
}

/** A page of a list that is at hand as a whole. */
export function cutPage<Item>(wanted: WantedPage, all: readonly Item[]) {
  const items = all.slice((wanted.page - 1) * wanted.pageSize, wanted.page * wanted.pageSize)
  return pageJson(wanted, { items, count: all.length })
}

/** A parameter that may be repeated. */
export function listOf(query: unknown, name: string): readonly string[] {
  const given = (query as Query)[name]
  return given === undefined ? [] : [given].flat().map(String)
}

export function textOf(query: unknown, name: string): string | undefined {
  return listOf(query, name)[0]
}
