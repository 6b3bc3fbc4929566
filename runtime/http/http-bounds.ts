import type { Bounds } from '../../domain/bound.ts'

/** Bounds that apply before a route sees a request. */
export const HTTP_BOUNDS = {
  cachedKeys: {
    what: 'keys that are remembered; one more pushes the oldest out',
    most: 10_000,
    unit: 'keys of some 300 bytes',
    per: 'process',
    code: null,
  },
  unknownKeys: {
    what: 'texts remembered for 5 s as no key; one more pushes others out',
    most: 4_096,
    unit: 'texts of up to 256 bytes',
    per: 'process',
    code: null,
  },
  keyLookups: { what: 'look-ups of keys at once', most: 32, unit: 'look-ups', per: 'process', code: 'too_many_key_lookups' },
  wrongKeys: {
    what: 'requests with a wrong key within a minute; keys that are known go on',
    most: 100,
    unit: 'requests',
    per: 'address (of IPv6 a /64)',
    code: 'too_many_wrong_keys',
    setting: 'TOLLGATE_WRONG_KEYS_MAX',
  },
  wrongKeyAddresses: {
    what: 'addresses whose wrong keys are counted; one more pushes others out',
    most: 10_000,
    unit: 'addresses of some 100 bytes',
    per: 'process',
    code: null,
  },
  heavyReads: { what: 'reads of events and usage at once', most: 4, unit: 'reads', per: 'process', code: null },
  heavyReadsOfTenant: { what: 'of them; one more waits for its turn', most: 2, unit: 'reads', per: 'tenant', code: null },
  heavyReadsWaiting: {
    what: 'reads of events and usage that wait for their turn',
    most: 256,
    unit: 'requests',
    per: 'tenant',
    code: 'too_many_reads_waiting',
  },
} as const satisfies Bounds
