import type { Bounds } from '../../domain/bound.ts'

export const TOKEN_BOUNDS = {
  seenTokens: {
    what: 'customer tokens remembered as good; one more pushes the oldest out, and the next look at it costs 0.1 ms',
    most: 20_000,
    unit: 'tokens of up to 4 KiB, most of them of 300 bytes',
    per: 'process',
    code: null,
    test: 'base/bounds/bounded-map.test.ts > holds the newest half of its bound',
  },
} as const satisfies Bounds
