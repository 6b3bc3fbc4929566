import type { Scope, TokenScope } from '../../domain/principal.ts'
import type { TenantWorld } from './tenant-world.ts'

export type RouteRow = {
  /** The route's name in the OpenAPI document. */
  readonly route: string
  /** The scope that a key needs; null: open to all without a key, or for customer tokens. */
  readonly scope: Scope | null
  /** Another scope that is enough, or several. */
  readonly orScope?: Scope | readonly Scope[]
  /** The scope that a customer token needs; keys are refused. */
  readonly token?: TokenScope
  /** A valid request of the tenant of this world. */
  readonly request: (world: TenantWorld) => { readonly path: string; readonly body?: unknown }
  /** Its status with a key of this scope. */
  readonly own: number
  /** The status of the very same request with an admin key of another tenant, which has nothing. */
  readonly ofOther: number
}

const at = (path: string, body?: unknown) => () => (body === undefined ? { path } : { path, body })
const meter = { eventType: 'llm.request', aggregation: 'sum', value: 'input_tokens' }
const event = { id: 'request-2', type: 'llm.request', customer: 'acme', data: { model: 'small', input_tokens: 3, output_tokens: 1 } }
const price = {
  model: 'tiered',
  tiers: [
    { upTo: '1000', unitAmount: '0' },
    { upTo: null, unitAmount: '0.002' },
  ],
}
const plan = {
  product: 'assistant',
  name: 'Team',
  currency: 'USD',
  interval: 'month',
  charges: [{ key: 'tokens', feature: 'tokens', price }],
  entitlements: [{ feature: 'tokens', limit: '900000', limitType: 'soft', reset: 'day', rollover: { percent: '50', max: '100' } }],
}
const usage = { customer: 'acme', feature: 'tokens', quantity: '5' }

/** Which key may call which route. A route that is missing here fails the key matrix, so that somebody thinks about each new one. */
export const ROUTE_SCOPES: readonly RouteRow[] = [
  { route: 'GET /healthz', scope: null, request: at('/healthz'), own: 200, ofOther: 200 },
  { route: 'GET /readyz', scope: null, request: at('/readyz'), own: 200, ofOther: 200 },
  { route: 'GET /metrics', scope: 'admin', request: at('/metrics'), own: 200, ofOther: 200 },

  { route: 'POST /v1/events', scope: 'ingest', request: at('/v1/events', event), own: 202, ofOther: 202 },
  {
    route: 'POST /v1/usage',
    scope: 'ingest',
    orScope: 'manage',
    request: at('/v1/usage', { ...usage, behaviour: 'delta' }),
    own: 202,
    ofOther: 404,
  },

  { route: 'GET /v1/events', scope: 'read', request: at('/v1/events?customer=acme&limit=10'), own: 200, ofOther: 200 },
  { route: 'GET /v1/events/uncounted', scope: 'read', request: at('/v1/events/uncounted?customer=acme'), own: 200, ofOther: 200 },
  { route: 'GET /v1/events/{id}', scope: 'read', request: at('/v1/events/request-1?customer=acme'), own: 200, ofOther: 404 },
  { route: 'GET /v1/meters', scope: 'read', request: at('/v1/meters'), own: 200, ofOther: 200 },
  { route: 'GET /v1/meters/{key}', scope: 'read', request: at('/v1/meters/tokens'), own: 200, ofOther: 404 },
  {
    route: 'GET /v1/meters/{key}/usage',
    scope: 'read',
    request: () => ({ path: `/v1/meters/tokens/usage?customer=acme&window=hour&groupBy=model&${lastDay()}` }),
    own: 200,
    ofOther: 404,
  },
  { route: 'GET /v1/features', scope: 'read', request: at('/v1/features'), own: 200, ofOther: 200 },
  { route: 'GET /v1/features/{key}', scope: 'read', request: at('/v1/features/tokens'), own: 200, ofOther: 404 },
  { route: 'GET /v1/products', scope: 'read', request: at('/v1/products'), own: 200, ofOther: 200 },
  { route: 'GET /v1/products/{key}', scope: 'read', request: at('/v1/products/assistant'), own: 200, ofOther: 404 },
  { route: 'GET /v1/plans', scope: 'read', request: at('/v1/plans'), own: 200, ofOther: 200 },
  { route: 'GET /v1/plans/{key}', scope: 'read', request: at('/v1/plans/pro?version=1'), own: 200, ofOther: 404 },
  { route: 'GET /v1/tax-rates', scope: 'read', request: at('/v1/tax-rates'), own: 200, ofOther: 200 },
  { route: 'GET /v1/tax-rates/{key}', scope: 'read', request: at('/v1/tax-rates/vat'), own: 200, ofOther: 404 },
  { route: 'GET /v1/customers', scope: 'read', request: at('/v1/customers'), own: 200, ofOther: 200 },
  { route: 'GET /v1/customers/{key}', scope: 'read', request: at('/v1/customers/acme'), own: 200, ofOther: 404 },
  { route: 'GET /v1/customers/{key}/balances', scope: 'read', request: at('/v1/customers/acme/balances'), own: 200, ofOther: 404 },
  {
    route: 'GET /v1/customers/{key}/balances/{feature}',
    scope: 'read',
    request: at('/v1/customers/acme/balances/tokens'),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'GET /v1/customers/{key}/balances/{feature}/resets',
    scope: 'read',
    request: at('/v1/customers/acme/balances/tokens/resets'),
    own: 200,
    ofOther: 200,
  },
  {
    route: 'GET /v1/customers/{key}/entitlements/{feature}',
    scope: 'read',
    request: at('/v1/customers/acme/entitlements/region'),
    own: 200,
    ofOther: 404,
  },
  { route: 'GET /v1/customers/{key}/grants', scope: 'read', request: at('/v1/customers/acme/grants'), own: 200, ofOther: 404 },
  { route: 'GET /v1/subscriptions', scope: 'read', request: at('/v1/subscriptions?customer=acme'), own: 200, ofOther: 200 },
  {
    route: 'GET /v1/subscriptions/{id}',
    scope: 'read',
    request: ({ subscription }) => ({ path: `/v1/subscriptions/${subscription}` }),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'GET /v1/subscriptions/{id}/upcoming-invoice',
    scope: 'read',
    request: ({ subscription }) => ({ path: `/v1/subscriptions/${subscription}/upcoming-invoice` }),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'GET /v1/subscriptions/{id}/invoice-preview',
    scope: 'read',
    request: ({ subscription }) => ({ path: `/v1/subscriptions/${subscription}/invoice-preview` }),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'POST /v1/subscriptions/{id}/change-preview',
    scope: 'read',
    request: ({ subscription }) => ({ path: `/v1/subscriptions/${subscription}/change-preview`, body: { plan: 'pro', at: 'now' } }),
    own: 200,
    ofOther: 400,
  },
  { route: 'GET /v1/billing-settings', scope: 'read', request: at('/v1/billing-settings'), own: 200, ofOther: 200 },
  { route: 'GET /v1/coupons', scope: 'read', request: at('/v1/coupons'), own: 200, ofOther: 200 },
  { route: 'GET /v1/coupons/{key}', scope: 'read', request: at('/v1/coupons/welcome'), own: 200, ofOther: 404 },
  {
    route: 'GET /v1/customers/{key}/credits',
    scope: 'read',
    request: at('/v1/customers/acme/credits?currency=USD'),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'GET /v1/customers/{key}/wallet',
    scope: 'read',
    request: at('/v1/customers/acme/wallet?currency=USD'),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'PUT /v1/customers/{key}/wallet',
    scope: 'billing',
    request: at('/v1/customers/acme/wallet?currency=USD', {}),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'GET /v1/customers/{key}/ledger',
    scope: 'read',
    request: at('/v1/customers/acme/ledger?currency=USD'),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'GET /v1/billing-runs/{id}',
    scope: 'read',
    request: ({ billingRun }) => ({ path: `/v1/billing-runs/${billingRun}` }),
    own: 200,
    ofOther: 404,
  },
  { route: 'GET /v1/billing/months/{month}', scope: 'read', request: at('/v1/billing/months/2026-01'), own: 200, ofOther: 200 },
  { route: 'GET /v1/exports/{kind}', scope: 'read', request: at('/v1/exports/invoices?format=ndjson'), own: 200, ofOther: 200 },
  {
    route: 'GET /v1/billing/unbilled',
    scope: 'read',
    request: at('/v1/billing/unbilled?customer=acme'),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'POST /v1/what-if',
    scope: 'read',
    request: at('/v1/what-if', { plan: 'pro', customers: ['acme'], from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z' }),
    own: 200,
    ofOther: 400,
  },
  { route: 'GET /v1/invoices', scope: 'read', request: at('/v1/invoices'), own: 200, ofOther: 200 },
  {
    route: 'GET /v1/invoices/{id}',
    scope: 'read',
    request: ({ invoice }) => ({ path: `/v1/invoices/${invoice}` }),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'GET /v1/invoices/{id}/lines/{line}/proof',
    scope: 'read',
    request: ({ invoice }) => ({ path: `/v1/invoices/${invoice}/lines/1/proof` }),
    own: 409,
    ofOther: 404,
  },
  {
    route: 'GET /v1/invoices/{id}/lines/{line}/windows',
    scope: 'read',
    request: ({ invoice }) => ({ path: `/v1/invoices/${invoice}/lines/1/windows` }),
    own: 409,
    ofOther: 404,
  },
  {
    route: 'GET /v1/invoices/{id}/lines/{line}/events',
    scope: 'read',
    request: ({ invoice }) => ({ path: `/v1/invoices/${invoice}/lines/1/events` }),
    own: 409,
    ofOther: 404,
  },
  { route: 'POST /v1/rate', scope: 'read', request: at('/v1/rate', { price, quantity: '1500', currency: 'USD' }), own: 200, ofOther: 200 },

  { route: 'POST /v1/decisions', scope: 'decide', request: at('/v1/decisions', usage), own: 200, ofOther: 404 },
  {
    route: 'POST /v1/reservations',
    scope: 'decide',
    orScope: 'manage',
    request: at('/v1/reservations', { ...usage, id: 'hold-4', ttlMs: 60_000 }),
    own: 201,
    ofOther: 404,
  },
  {
    route: 'GET /v1/reservations/{id}',
    scope: 'decide',
    orScope: 'manage',
    request: at('/v1/reservations/hold-1'),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'POST /v1/reservations/{id}/settle',
    scope: 'decide',
    orScope: 'manage',
    request: at('/v1/reservations/hold-1/settle', { quantity: '1', data: { model: 'small' } }),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'POST /v1/reservations/{id}/release',
    scope: 'decide',
    orScope: 'manage',
    request: at('/v1/reservations/hold-2/release'),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'POST /v1/reservations/{id}/extend',
    scope: 'decide',
    orScope: 'manage',
    request: at('/v1/reservations/hold-3/extend', { ttlMs: 90_000 }),
    own: 200,
    ofOther: 404,
  },

  {
    route: 'PUT /v1/coupons/{key}',
    scope: 'billing',
    request: at('/v1/coupons/more', { percent: '5', duration: 'forever' }),
    own: 201,
    ofOther: 201,
  },
  { route: 'POST /v1/billing-runs', scope: 'billing', request: at('/v1/billing-runs', { dryRun: true }), own: 202, ofOther: 202 },
  {
    route: 'POST /v1/customers/{key}/credits',
    scope: 'billing',
    request: at('/v1/customers/acme/credits', { id: 'gift', amount: '5.00', currency: 'USD' }),
    own: 201,
    ofOther: 404,
  },
  {
    route: 'POST /v1/invoices',
    scope: 'billing',
    request: at('/v1/invoices', { customer: 'acme', currency: 'USD', lines: [{ description: 'Set-up', unitAmount: '5' }] }),
    own: 201,
    ofOther: 400,
  },
  {
    route: 'POST /v1/invoices/{id}/lines',
    scope: 'billing',
    request: ({ invoice }) => ({ path: `/v1/invoices/${invoice}/lines`, body: { lines: [{ description: 'Set-up', unitAmount: '5' }] } }),
    own: 409,
    ofOther: 404,
  },
  {
    route: 'DELETE /v1/invoices/{id}/lines/{line}',
    scope: 'billing',
    request: ({ invoice }) => ({ path: `/v1/invoices/${invoice}/lines/1` }),
    own: 409,
    ofOther: 404,
  },
  {
    route: 'PUT /v1/invoices/{id}/pause',
    scope: 'billing',
    request: ({ invoice }) => ({ path: `/v1/invoices/${invoice}/pause`, body: { paused: true } }),
    own: 409,
    ofOther: 404,
  },
  {
    route: 'DELETE /v1/invoices/{id}',
    scope: 'billing',
    request: ({ invoice }) => ({ path: `/v1/invoices/${invoice}` }),
    own: 409,
    ofOther: 404,
  },
  {
    route: 'POST /v1/invoices/{id}/finalise',
    scope: 'billing',
    request: ({ invoice }) => ({ path: `/v1/invoices/${invoice}/finalise`, body: {} }),
    own: 409,
    ofOther: 404,
  },
  {
    route: 'POST /v1/invoices/{id}/credit-notes',
    scope: 'billing',
    request: ({ invoice }) => ({ path: `/v1/invoices/${invoice}/credit-notes`, body: { lines: [{ line: '99' }], reason: 'wrong' } }),
    own: 404,
    ofOther: 404,
  },
  {
    route: 'POST /v1/credits/{id}/void',
    scope: 'billing',
    request: at('/v1/credits/none/void', {}),
    own: 404,
    ofOther: 404,
  },
  {
    route: 'POST /v1/invoices/{id}/payments',
    scope: 'billing',
    request: ({ invoice }) => ({ path: `/v1/invoices/${invoice}/payments`, body: { amount: '1.00', reference: 'bank-1' } }),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'POST /v1/invoices/{id}/void',
    scope: 'billing',
    request: ({ invoice }) => ({ path: `/v1/invoices/${invoice}/void`, body: { reason: 'wrong' } }),
    own: 409,
    ofOther: 404,
  },
  {
    route: 'POST /v1/invoices/{id}/uncollectible',
    scope: 'billing',
    request: ({ invoice }) => ({ path: `/v1/invoices/${invoice}/uncollectible`, body: { reason: 'gone' } }),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'PUT /v1/billing-settings',
    scope: 'admin',
    request: at('/v1/billing-settings', { dueDays: 14, seller: { name: 'Seller' } }),
    own: 200,
    ofOther: 200,
  },
  {
    route: 'PUT /v1/tax-rates/{key}',
    scope: 'admin',
    request: at('/v1/tax-rates/more', { name: 'VAT', percent: '20' }),
    own: 201,
    ofOther: 201,
  },
  { route: 'PUT /v1/meters/{key}', scope: 'admin', request: at('/v1/meters/more', meter), own: 201, ofOther: 201 },
  { route: 'DELETE /v1/meters/{key}', scope: 'admin', request: at('/v1/meters/spare'), own: 204, ofOther: 404 },
  {
    route: 'PUT /v1/features/{key}',
    scope: 'admin',
    request: at('/v1/features/more', { type: 'metered', meter: 'tokens', filter: { model: ['a', 'b'] } }),
    own: 201,
    ofOther: 400,
  },
  {
    route: 'PUT /v1/products/{key}',
    scope: 'admin',
    request: at('/v1/products/more', { name: 'More', description: null }),
    own: 201,
    ofOther: 201,
  },
  { route: 'PUT /v1/plans/{key}', scope: 'admin', request: at('/v1/plans/team', plan), own: 201, ofOther: 400 },
  {
    route: 'PUT /v1/customers/{key}',
    scope: 'manage',
    request: at('/v1/customers/globex', { name: 'Globex', subjects: ['seat-9'], metadata: { since: 2020 } }),
    own: 201,
    ofOther: 201,
  },
  {
    route: 'POST /v1/customers/{key}/adopt',
    scope: 'manage',
    request: at('/v1/customers/acme/adopt', { customer: 'acme' }),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'POST /v1/subscriptions',
    scope: 'manage',
    request: at('/v1/subscriptions', { customer: 'acme', plan: 'pro', allowSeveral: true }),
    own: 201,
    ofOther: 400,
  },
  {
    route: 'POST /v1/subscriptions/{id}/change',
    scope: 'manage',
    request: ({ subscription }) => ({ path: `/v1/subscriptions/${subscription}/change`, body: { plan: 'pro', at: 'periodEnd' } }),
    own: 200,
    ofOther: 400,
  },
  {
    route: 'POST /v1/subscriptions/{id}/uncancel',
    scope: 'manage',
    request: ({ subscription }) => ({ path: `/v1/subscriptions/${subscription}/uncancel` }),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'POST /v1/subscriptions/{id}/cancel',
    scope: 'manage',
    request: ({ subscription }) => ({ path: `/v1/subscriptions/${subscription}/cancel`, body: { at: 'periodEnd' } }),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'PUT /v1/customers/{key}/entitlements/{feature}',
    scope: 'manage',
    request: at('/v1/customers/acme/entitlements/tokens', { limit: '70000', limitType: 'hard', reset: 'day' }),
    own: 201,
    ofOther: 404,
  },
  {
    route: 'DELETE /v1/customers/{key}/entitlements/{feature}',
    scope: 'manage',
    request: at('/v1/customers/acme/entitlements/tokens'),
    own: 204,
    ofOther: 404,
  },
  {
    route: 'POST /v1/customers/{key}/grants',
    scope: 'manage',
    request: at('/v1/customers/acme/grants', { feature: 'tokens', amount: '10', priority: 5, expiresAt: null }),
    own: 201,
    ofOther: 404,
  },
  {
    route: 'POST /v1/grants/{id}/void',
    scope: 'manage',
    request: ({ grant }) => ({ path: `/v1/grants/${grant}/void` }),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'POST /v1/customers/{key}/balances/{feature}/reset',
    scope: 'manage',
    request: at('/v1/customers/acme/balances/tokens/reset', { reason: 'asked for' }),
    own: 201,
    ofOther: 404,
  },

  ...(
    [
      ['GET', '/v1/me/balances'],
      ['GET', '/v1/me/balances/{feature}', '/v1/me/balances/tokens'],
      ['GET', '/v1/me/usage', '/v1/me/usage?meter=tokens&window=day&groupBy=model'],
      ['GET', '/v1/me/invoices'],
      ['GET', '/v1/me/plans'],
    ] as const
  ).map(
    ([method, route, path = route]): RouteRow => ({
      ...{ route: `${method} ${route}`, scope: null, token: 'read', request: at(path), own: 200, ofOther: 403 },
    }),
  ),
  {
    route: 'GET /v1/me/invoices/{id}',
    scope: null,
    token: 'read',
    request: ({ invoice }) => ({ path: `/v1/me/invoices/${invoice}` }),
    own: 200,
    ofOther: 403,
  },
  {
    route: 'GET /v1/me/upcoming-invoice',
    scope: null,
    token: 'read',
    request: ({ subscription }) => ({ path: `/v1/me/upcoming-invoice?subscription=${subscription}` }),
    own: 200,
    ofOther: 403,
  },
  {
    route: 'POST /v1/me/decisions',
    scope: null,
    token: 'decide',
    request: at('/v1/me/decisions', { feature: 'tokens', quantity: '1' }),
    own: 200,
    ofOther: 403,
  },
  {
    route: 'POST /v1/customer-tokens',
    scope: 'read',
    orScope: ['decide', 'manage'],
    request: at('/v1/customer-tokens', { customer: 'acme', scopes: ['read'], ttlMs: 60_000 }),
    own: 201,
    ofOther: 400,
  },
  { route: 'GET /v1/settings', scope: 'admin', request: at('/v1/settings'), own: 200, ofOther: 200 },
  {
    route: 'PUT /v1/settings',
    scope: 'admin',
    request: at('/v1/settings', { origins: ['https://app.example.com'] }),
    own: 200,
    ofOther: 200,
  },
  { route: 'POST /v1/keys', scope: 'admin', request: at('/v1/keys', { name: 'more', scopes: ['read', 'decide'] }), own: 201, ofOther: 201 },
  { route: 'GET /v1/audit', scope: 'admin', request: at('/v1/audit?limit=5'), own: 200, ofOther: 200 },
  { route: 'GET /v1/audit/check', scope: 'admin', request: at('/v1/audit/check'), own: 200, ofOther: 200 },
  { route: 'GET /v1/keys', scope: 'admin', request: at('/v1/keys'), own: 200, ofOther: 200 },
  { route: 'GET /v1/keys/{id}', scope: 'admin', request: ({ spareKeyId }) => ({ path: `/v1/keys/${spareKeyId}` }), own: 200, ofOther: 404 },
  {
    route: 'POST /v1/keys/{id}/rotate',
    scope: 'admin',
    request: ({ spareKeyId }) => ({ path: `/v1/keys/${spareKeyId}/rotate`, body: {} }),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'DELETE /v1/keys/{id}',
    scope: 'admin',
    request: ({ spareKeyId }) => ({ path: `/v1/keys/${spareKeyId}` }),
    own: 200,
    ofOther: 404,
  },
  { route: 'POST /v1/customers/{key}/archive', scope: 'manage', request: at('/v1/customers/acme/archive'), own: 200, ofOther: 404 },
  { route: 'POST /v1/customers/{key}/unarchive', scope: 'manage', request: at('/v1/customers/acme/unarchive'), own: 200, ofOther: 404 },
  { route: 'POST /v1/features/{key}/archive', scope: 'admin', request: at('/v1/features/tokens/archive'), own: 200, ofOther: 404 },
  { route: 'POST /v1/features/{key}/unarchive', scope: 'admin', request: at('/v1/features/tokens/unarchive'), own: 200, ofOther: 404 },
  { route: 'POST /v1/products/{key}/archive', scope: 'admin', request: at('/v1/products/assistant/archive'), own: 200, ofOther: 404 },
  { route: 'POST /v1/products/{key}/unarchive', scope: 'admin', request: at('/v1/products/assistant/unarchive'), own: 200, ofOther: 404 },
  { route: 'POST /v1/plans/{key}/archive', scope: 'admin', request: at('/v1/plans/pro/archive'), own: 200, ofOther: 404 },
  { route: 'POST /v1/plans/{key}/unarchive', scope: 'admin', request: at('/v1/plans/pro/unarchive'), own: 200, ofOther: 404 },
  // A body that is no NDJSON gets as far as the type of its content.
  { route: 'POST /v1/bulk', scope: 'manage', request: at('/v1/bulk', {}), own: 415, ofOther: 415 },
  // Last, as it ends the token of the rows before.
  {
    route: 'PUT /v1/customers/{key}/tokens-not-before',
    scope: 'manage',
    request: at('/v1/customers/acme/tokens-not-before', {}),
    own: 200,
    ofOther: 404,
  },
]

function lastDay(): string {
  const dayMs = 86_400_000
  return `from=${new Date(Date.now() - dayMs).toISOString()}&to=${new Date(Date.now() + dayMs).toISOString()}`
}
