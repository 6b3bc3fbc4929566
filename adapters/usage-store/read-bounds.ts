import type { Bounds } from '../../domain/bound.ts'

/** Bounds on what one read for the api may take of the engine, and the answers beyond them. */
export const READ_BOUNDS = {
  readTime: {
    what: 'time of the engine for a read of events or usage',
    most: 10_000,
    unit: 'ms',
    per: 'query',
    code: 'read_too_slow',
    test: 'test/contracts/usage-store-chdb.test.ts > a read that reaches its bound',
  },
  readMemory: {
    what: 'memory of the engine for a read of events or usage',
    most: 512 * 2 ** 20,
    unit: 'bytes',
    per: 'query',
    code: 'read_too_large',
    test: 'test/contracts/usage-store-chdb.test.ts > a read that reaches its bound',
  },
  readResult: {
    what: 'bytes that a read of usage brings',
    most: 32 * 2 ** 20,
    unit: 'bytes',
    per: 'query',
    code: 'read_too_large',
    test: 'test/contracts/usage-store-chdb.test.ts > a read that reaches its bound',
  },
} as const satisfies Bounds

export type ReadBounds = { readonly timeMs: number; readonly memoryBytes: number; readonly resultBytes: number }

export const READ_BOUNDS_DEFAULT: ReadBounds = {
  timeMs: READ_BOUNDS.readTime.most,
  memoryBytes: READ_BOUNDS.readMemory.most,
  resultBytes: READ_BOUNDS.readResult.most,
}
