import { refuseInput } from './refuse-input.ts'

/** A whole number of a query, between 1 and `most`; `usual` when absent. */
export function wholeNumber(sent: unknown, name: string, { usual, most }: { readonly usual: number; readonly most: number }): number {
  if (sent === undefined) return usual
  const number = Number(sent)
  if (typeof sent === 'string' && Number.isInteger(number) && number >= 1 && number <= most) return number
  return refuseInput(name, `${name} must be a whole number from 1 to ${most}, was '${String(sent).slice(0, 40)}'`)
}

/** No list is so long; the pages behind its end are empty. */
export const PAGE = { usual: 1, most: 2 ** 31 }
