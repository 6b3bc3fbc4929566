import type { Bounds } from '../domain/bound.ts'

/** Bounds on the aggregator's memory. */
export const AGGREGATOR_BOUNDS = {
  windows: {
    what: 'usage windows under way; beyond it stored ones are let go of and read again where they change, and up to half as much more is taken on the way',
    most: 64 * 1024 * 1024,
    unit: 'bytes',
    per: 'process',
    code: null,
    setting: 'TOLLGATE_WINDOW_BYTES_MAX',
    test: 'test/faults/cardinality.test.ts > windows stay within their memory',
  },
  flushRows: {
    what: 'rows that begin a flush; as many more may gather while it is written, then the log waits',
    most: 50_000,
    unit: 'rows',
    per: 'process',
    code: null,
    test: 'test/faults/cardinality.test.ts > windows stay within their memory',
  },
  flushBytes: {
    what: 'bytes of events that begin a flush; as many more may gather while it is written, and a record of each partition, then the log waits',
    most: 16 * 1024 * 1024,
    unit: 'bytes',
    per: 'process',
    code: null,
    test: 'aggregator/aggregator.test.ts > Large events are flushed by their bytes',
  },
} as const satisfies Bounds
