import type { FastifyRequest } from 'fastify'
import type { NumberedPage } from '../page-numbers.ts'
import { PAGE, wholeNumber } from '../whole-number.ts'
import type { Fields } from './fields.ts'

type WantedPage = { readonly page: number; readonly pageSize: number }

const PAGE_SIZE = { usual: 10, most: 100 }

/** `?page=2&page_size=10`. */
export function pageOf(query: Fields): WantedPage {
  return { page: wholeNumber(query.page, 'page', PAGE), pageSize: wholeNumber(query.page_size, 'page_size', PAGE_SIZE) }
}

export function pageJson<Item>(request: FastifyRequest, { page, pageSize }: WantedPage, { items, count }: NumberedPage<Item>) {
  const hasNext = page * pageSize < count
  return {
    count,
    next: hasNext ? linkTo(request, page + 1, pageSize) : null,
    previous: page > 1 ? linkTo(request, page - 1, pageSize) : null,
    results: items,
  }
}

/** The other parameters stay. */
function linkTo(request: FastifyRequest, page: number, pageSize: number): string {
  const url = new URL(request.url, `${request.protocol}://${request.host}`)
  url.searchParams.set('page', String(page))
  url.searchParams.set('page_size', String(pageSize))
  return url.href
}
