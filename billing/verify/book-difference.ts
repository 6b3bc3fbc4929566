/** A place where the book is not what it must be. */
export type BookDifference = {
  readonly what: string
  /** A document, a line of one, a subscription's part, a transaction. */
  readonly where: string
  readonly expected: string
  readonly found: string
}

/** Nothing when both are the same. */
export function differing(what: string, where: string, expected: string, found: string): readonly BookDifference[] {
  return expected === found ? [] : [{ what, where, expected, found }]
}
