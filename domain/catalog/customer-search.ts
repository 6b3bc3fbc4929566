import type { Customer } from './customer.ts'

/**
 * What a search of customers looks through: key, name, e-mail, and the texts and numbers of the metadata, in one case. Null where
 * that is the key alone, so that a customer first seen in an event needs none.
 */
export function customerSearchText({ key, name, email, metadata }: Pick<Customer, 'key' | 'name' | 'email' | 'metadata'>): string | null {
  const values = Object.values(metadata).filter((value) => typeof value === 'string' || typeof value === 'number')
  const said = [name, email, ...values].filter((text) => text !== null)
  return said.length === 0 && isAscii(key) ? null : foldCase([key, ...said].join('\n'))
}

/** `-createdAt`: newest first. */
export const CUSTOMER_SORTS = ['-createdAt', 'key'] as const
export type CustomerSort = (typeof CUSTOMER_SORTS)[number]

/** Letters of all scripts in one case, accents composed, as both the searched and the search are compared. */
export function foldCase(text: string): string {
  return text.normalize('NFKC').toLowerCase()
}

/** The database itself folds these. */
function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text)
}
