import type { Bounds } from '../domain/bound.ts'

const TEST = 'entitlements/entitlement-cache.test.ts > it holds a bounded number of customers'

export const ENTITLEMENT_BOUNDS = {
  customers: {
    what: 'customers whose entitlements are remembered; one more pushes others out',
    most: 100_000,
    unit: 'customers',
    per: 'process',
    code: null,
    test: TEST,
  },
  features: {
    what: 'features that are remembered; one more pushes others out',
    most: 10_000,
    unit: 'features',
    per: 'process',
    code: null,
    test: TEST,
  },
} as const satisfies Bounds
