import type { FastifyRequest } from 'fastify'
import type { NumberedPage } from '../page-numbers.ts'
import { refuseInput } from '../refuse-input.ts'
import { type Fields, optionalText } from './fields.ts'

type WantedPage = { readonly page: number; readonly pageSize: number }

const PAGE_SIZE = { usual: 10, most: 100 }
const PAGE_MAX = 2 ** 31

/** `?page=2&page_size=10`. */
export function pageOf(query: Fields): WantedPage {
  return {
    page: wholeNumber(query, 'page', 1, PAGE_MAX),
    pageSize: wholeNumber(query, 'page_size', PAGE_SIZE.usual, PAGE_SIZE.most),
  }
}

function wholeNumber(query: Fields, name: string, usual: number, most: number): number {
  const text = optionalText(query, name)
  if (text === undefined) return usual
  const number = Number(text)
  return Number.isInteger(number) && number >= 1 && number <= most
    ? number
    : refuseInput(name, `${name} must be a whole number from 1 to ${most}, was '${text.slice(0, 40)}'`)
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
