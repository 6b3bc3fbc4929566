import type { Bounds } from '../../bound.ts'

/** Bounds on what a meter reads. It is worked out for every event, so its work is bounded when it is put. */
export const EXPRESSION_BOUNDS = {
  characters: {
    what: 'an expression or a path',
    most: 1_000,
    unit: 'characters',
    per: 'expression',
    code: 'invalid_request',
    test: 'api/catalog/catalog-routes.test.ts > an expression of 1,001 characters',
  },
  depth: {
    what: 'brackets in brackets of an expression',
    most: 20,
    unit: 'levels',
    per: 'expression',
    code: 'invalid_meter',
    test: 'api/catalog/catalog-routes.test.ts > an expression of 21 levels',
  },
  factors: {
    what: 'properties and constants multiplied with each other',
    most: 4,
    unit: 'factors',
    per: 'expression',
    code: 'invalid_meter',
    test: 'api/catalog/catalog-routes.test.ts > five factors',
  },
  values: {
    what: 'expressions that are added',
    most: 10,
    unit: 'expressions',
    per: 'meter',
    code: 'invalid_request',
    test: 'api/catalog/catalog-routes.test.ts > 11 values',
  },
  dimensions: {
    what: 'dimensions',
    most: 10,
    unit: 'dimensions',
    per: 'meter',
    code: 'invalid_request',
    test: 'api/catalog/catalog-routes.test.ts > 11 dimensions',
  },
  conditions: {
    what: 'conditions of `where`',
    most: 10,
    unit: 'conditions',
    per: 'meter',
    code: 'invalid_request',
    test: 'api/catalog/catalog-routes.test.ts > 11 conditions',
  },
} as const satisfies Bounds
