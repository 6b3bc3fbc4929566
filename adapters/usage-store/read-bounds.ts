import type { Bounds } from '../../domain/bound.ts'

/** Bounds on what one read may take of the engine, and the answers beyond them. */
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
  scanResult: {
    what: 'bytes of events that a scan brings at once; a page with more is read in parts',
    most: 32 * 2 ** 20,
    unit: 'bytes',
    per: 'query',
    code: null,
    test: 'test/contracts/usage-store-chdb.test.ts > a scan of large events',
  },
  seriesTime: {
    what: 'time of the engine to read the combinations of dimensions of whole meters at a start; where it is not enough they are looked up day by day',
    most: 5_000,
    unit: 'ms',
    per: 'query',
    code: null,
    test: 'test/contracts/usage-store-chdb.test.ts > combinations that take too long to read',
  },
  customersTime: {
    what: 'time of the engine for the usage of many customers, for invoices, limits and counters',
    most: 60_000,
    unit: 'ms',
    per: 'query',
    code: 'read_too_slow',
    test: 'test/contracts/usage-store-chdb.test.ts > usage of customers that reaches its bound',
  },
  customersMemory: {
    what: 'memory of the engine for the same; of several customers fewer are read at once',
    most: 1024 * 2 ** 20,
    unit: 'bytes',
    per: 'query',
    code: 'read_too_large',
    test: 'test/contracts/usage-store-chdb.test.ts > usage of customers that reaches its bound',
  },
  customersResult: {
    what: 'bytes that it brings; of several customers fewer are read at once',
    most: 128 * 2 ** 20,
    unit: 'bytes',
    per: 'query',
    code: 'read_too_large',
    test: 'test/contracts/usage-store-chdb.test.ts > usage of customers that reaches its bound',
  },
} as const satisfies Bounds

/** Bounds on reads inside the server. */
export type InnerReadBounds = { readonly scanBytes: number; readonly seriesTimeMs: number; readonly customers: ReadBounds }

export const INNER_READ_BOUNDS: InnerReadBounds = {
  scanBytes: READ_BOUNDS.scanResult.most,
  seriesTimeMs: READ_BOUNDS.seriesTime.most,
  customers: {
    timeMs: READ_BOUNDS.customersTime.most,
    memoryBytes: READ_BOUNDS.customersMemory.most,
    resultBytes: READ_BOUNDS.customersResult.most,
  },
}

export type ReadBounds = { readonly timeMs: number; readonly memoryBytes: number; readonly resultBytes: number }

export const READ_BOUNDS_DEFAULT: ReadBounds = {
  timeMs: READ_BOUNDS.readTime.most,
  memoryBytes: READ_BOUNDS.readMemory.most,
  resultBytes: READ_BOUNDS.readResult.most,
}
