import type { Bounds } from '../../schemas/http/bound.ts'

/** What is bounded before a route sees a request. */
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
} as const satisfies Bounds
