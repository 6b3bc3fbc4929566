import type { AuditedDocument } from '../../adapters/database/book-audit/book-audit-reader.ts'
import type { SeriesEnd } from '../../adapters/database/invoices/invoice-store.ts'
import { contentHash, type Json } from '../invoices/content-hash.ts'
import { type BookDifference, differing } from './book-difference.ts'

export type ChainCheck = {
  /** Documents in the order of their numbers. */
  next(document: AuditedDocument): readonly BookDifference[]
  /** After the last one. */
  end(of: SeriesEnd): readonly BookDifference[]
}

/** Numbers go from 1 without a gap, each document's hash is that of its content and of the one before, and the series ends with the last. */
export function createChainCheck(series: string): ChainCheck {
  let last = 0
  let lastHash: string | null = null
  return {
    next({ id, sequence, contentHash: hash, previousHash, record }) {
      const where = `${series} ${id}`
      const differences = [
        ...differing('numbers have no gap', where, String(last + 1), String(sequence)),
        ...differing('a document names the hash of the one before it', where, String(lastHash), String(previousHash)),
        ...differing(
          'the hash of a document is that of its content',
          where,
          contentHash(record as { [field: string]: Json }, previousHash),
          String(hash),
        ),
      ]
      last = sequence ?? last + 1
      lastHash = hash
      return differences
    },
    end: (of) => [
      ...differing('a series ends with its last number', series, String(last), String(of.last)),
      ...differing('a series ends with the hash of its last document', series, String(lastHash), String(of.lastHash)),
    ],
  }
}
