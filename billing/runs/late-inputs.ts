import type { BillingInputsReader } from '../../adapters/database/billing-inputs/billing-inputs-reader.ts'
import type { ClosedPartStore } from '../../adapters/database/closed-parts/closed-part-store.ts'
import type { BilledPart } from '../../domain/billing/billed.ts'
import type { BillingBook } from '../../domain/billing/billing-book.ts'
import type { InstantMs } from '../../domain/identity.ts'

/** Reads customers with those of their closed parts that end after an instant, as if the late windows of these were open. */
export function lateInputsReader(
  reader: BillingInputsReader,
  closedParts: Pick<ClosedPartStore, 'of'>,
  sinceMs: InstantMs,
): BillingInputsReader {
  return {
    async read(tenant, customers, besides) {
      const inputs = await reader.read(tenant, customers, besides)
      const closed = await closedParts.of(tenant, [...inputs.books.keys()], sinceMs)
      const books = [...inputs.books].map(([id, book]) => [id, withClosed(book, closed.get(id) ?? [])] as const)
      return { ...inputs, books: new Map(books) }
    },
  }
}

/** A void may have opened a part again. */
function withClosed(book: BillingBook, closed: readonly BilledPart[]): BillingBook {
  const open = new Set(book.parts.map(({ period }) => period.startMs))
  return { ...book, parts: [...closed.filter(({ period }) => !open.has(period.startMs)), ...book.parts] }
}
