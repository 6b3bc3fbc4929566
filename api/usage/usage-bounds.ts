import type { Bounds } from '../../domain/bound.ts'

/** Bounds on one answer about usage or events. */
export const USAGE_BOUNDS = {
  eventPage: {
    what: 'content of the events of one page; the next page goes on behind it',
    most: 4 * 2 ** 20,
    unit: 'bytes',
    per: 'answer',
    code: null,
    test: 'test/e2e/answers-end.test.ts > a page of large events ends by its bytes',
  },
  eventsLookedAt: {
    what: 'events looked at for one page of those that counted or did not; the next page goes on behind them',
    most: 20_000,
    unit: 'events',
    per: 'answer',
    code: null,
    test: 'api/usage/filtered-page.test.ts > a page of wanted events ends with the last one looked at, and the next goes on behind it',
  },
  usageRows: {
    what: "rows of one answer: a month of one customer's minutes fits",
    most: 50_000,
    unit: 'rows',
    per: 'answer',
    code: 'too_many_rows',
    test: 'test/contracts/usage-store.ts > one row too many is refused',
  },
  usagePage: {
    what: 'rows of one page of usage; the next page goes on behind them',
    most: 10_000,
    unit: 'rows',
    per: 'answer',
    code: 'invalid_request',
    test: 'api/usage/usage-routes.test.ts > beyond a bound',
  },
  usageCursor: {
    what: 'the place in a list of usage: the values of the dimensions that it is grouped by',
    most: 8_192,
    unit: 'characters',
    per: 'cursor',
    code: 'cursor_too_long',
    test: 'api/usage/usage-routes.test.ts > a place that no cursor holds is said',
  },
  usageCustomers: {
    what: 'customers that usage is asked for by name',
    most: 1_000,
    unit: 'customers',
    per: 'request',
    code: 'invalid_request',
    test: 'api/usage/usage-routes.test.ts > beyond a bound',
  },
  filterValues: {
    what: 'values of one dimension in a filter',
    most: 100,
    unit: 'values',
    per: 'request',
    code: 'invalid_request',
    test: 'api/usage/usage-routes.test.ts > beyond a bound',
  },
} as const satisfies Bounds
