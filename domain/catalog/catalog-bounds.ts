import type { Bounds } from '../bound.ts'

const ROUTES = 'api/catalog/catalog-routes.test.ts'

/** Bounds on what callers put into the catalog: a decision and an invoice read all of one plan, one customer, one subscription. */
export const CATALOG_BOUNDS = {
  listPage: {
    what: 'rows of one page of a list; the next page goes on behind it',
    most: 1_000,
    unit: 'rows',
    per: 'answer',
    code: 'invalid_request',
    test: `${ROUTES} > a page of 1,001`,
  },
  charges: { what: 'charges', most: 200, unit: 'charges', per: 'plan', code: 'invalid_request', test: `${ROUTES} > 201 charges` },
  entitlements: {
    what: 'entitlements',
    most: 500,
    unit: 'entitlements',
    per: 'plan',
    code: 'invalid_request',
    test: `${ROUTES} > 501 entitlements`,
  },
  tiers: {
    what: 'tiers',
    most: 100,
    unit: 'tiers',
    per: 'price',
    code: 'too_many_tiers',
    test: 'rating/validate-price.test.ts > what is refused names the field, the value and the limit',
  },
  subjects: {
    what: 'subjects',
    most: 1_000,
    unit: 'subjects',
    per: 'customer',
    code: 'invalid_request',
    test: `${ROUTES} > 1,001 subjects`,
  },
  metadataProperties: {
    what: 'properties of `metadata`',
    most: 50,
    unit: 'properties',
    per: 'customer',
    code: 'invalid_request',
    test: `${ROUTES} > 51 properties of metadata`,
  },
  metadata: {
    what: '`metadata` as JSON',
    most: 16_384,
    unit: 'characters',
    per: 'customer',
    code: 'metadata_too_large',
    test: `${ROUTES} > are put whole, with subjects and metadata`,
  },
  openSubscriptions: {
    what: 'subscriptions that have not ended',
    most: 100,
    unit: 'subscriptions',
    per: 'customer',
    code: 'too_many_subscriptions',
    test: 'test/contracts/database/subscription-store.ts > of one customer there are 100 open ones at most',
  },
  changes: {
    what: 'changes of plan',
    most: 1_000,
    unit: 'changes',
    per: 'subscription',
    code: 'too_many_changes',
    test: 'domain/catalog/subscription.test.ts > is bounded',
  },
  grants: {
    what: 'grants',
    most: 10_000,
    unit: 'grants',
    per: 'customer and feature',
    code: 'too_many_grants',
    test: 'test/contracts/database/grant-store.ts > one more than may be is refused',
  },
  resets: {
    what: 'resets by hand',
    most: 10_000,
    unit: 'resets',
    per: 'customer and feature',
    code: 'too_many_resets',
    test: 'test/contracts/database/reset-store.ts > one more than may be is refused',
  },
} as const satisfies Bounds
