import type { RouteRow } from './route-scopes.ts'

const at = (path: string, body?: unknown) => () => (body === undefined ? { path } : { path, body })
const machine = { name: 'laptop', fingerprint: 'm1' }
const NO_CHECKOUT = `/v1/checkouts/co_${'0'.repeat(32)}`

/** Routes of selling: reads first, as the others change what they read. */
export const SELLING_SCOPES: readonly RouteRow[] = [
  { route: 'GET /v1/license-policies', scope: 'read', request: at('/v1/license-policies'), own: 200, ofOther: 200 },
  { route: 'GET /v1/license-policies/{key}', scope: 'read', request: at('/v1/license-policies/reader'), own: 200, ofOther: 404 },
  { route: 'GET /v1/downloads', scope: 'read', request: at('/v1/downloads'), own: 200, ofOther: 200 },
  { route: 'GET /v1/downloads/{key}', scope: 'read', request: at('/v1/downloads/book'), own: 200, ofOther: 404 },
  { route: 'GET /v1/downloads/{key}/releases', scope: 'read', request: at('/v1/downloads/book/releases'), own: 200, ofOther: 404 },
  { route: 'GET /v1/customers/{key}/downloads', scope: 'read', request: at('/v1/customers/acme/downloads'), own: 200, ofOther: 404 },
  { route: 'GET /v1/customers/{key}/links', scope: 'read', request: at('/v1/customers/acme/links'), own: 200, ofOther: 404 },
  { route: 'GET /v1/orders', scope: 'read', request: at('/v1/orders?customer=acme'), own: 200, ofOther: 200 },
  { route: 'GET /v1/orders/{id}', scope: 'read', request: at('/v1/orders/ord_none'), own: 404, ofOther: 404 },
  { route: 'GET /v1/checkouts/{id}', scope: 'read', orScope: 'public', request: at(NO_CHECKOUT), own: 404, ofOther: 404 },
  { route: 'GET /v1/licenses', scope: 'read', request: at('/v1/licenses?customer=acme'), own: 200, ofOther: 200 },
  { route: 'GET /v1/licenses/jwks', scope: 'public', orScope: 'manage', request: at('/v1/licenses/jwks'), own: 200, ofOther: 200 },
  {
    route: 'GET /v1/licenses/{id}',
    scope: 'read',
    request: ({ license }) => ({ path: `/v1/licenses/${license}` }),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'GET /v1/licenses/{id}/activations',
    scope: 'read',
    request: ({ license }) => ({ path: `/v1/licenses/${license}/activations` }),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'POST /v1/licenses/activate',
    scope: 'public',
    orScope: 'manage',
    request: ({ licenseKey }) => ({ path: '/v1/licenses/activate', body: { key: licenseKey, instance: machine } }),
    own: 201,
    ofOther: 404,
  },
  {
    route: 'POST /v1/licenses/validate',
    scope: 'public',
    orScope: 'manage',
    request: ({ licenseKey }) => ({ path: '/v1/licenses/validate', body: { key: licenseKey } }),
    own: 200,
    ofOther: 200,
  },
  {
    route: 'POST /v1/licenses/deactivate',
    scope: 'public',
    orScope: 'manage',
    request: ({ licenseKey }) => ({ path: '/v1/licenses/deactivate', body: { key: licenseKey, activation: 'act_none' } }),
    own: 404,
    ofOther: 404,
  },
  {
    route: 'POST /v1/checkouts',
    scope: 'manage',
    orScope: 'public',
    request: at('/v1/checkouts', { plan: 'book' }),
    own: 201,
    ofOther: 400,
  },
  // The provider signs what it tells; without one nothing is taken.
  { route: 'POST /v1/payment-notices/{provider}', scope: null, request: at('/v1/payment-notices/test', {}), own: 409, ofOther: 409 },
  {
    route: 'POST /v1/licenses',
    scope: 'manage',
    request: at('/v1/licenses', { customer: 'acme', policy: 'reader', product: 'assistant' }),
    own: 201,
    ofOther: 400,
  },
  ...['suspend', 'resume'].map((action) => licenseRow(action)),
  licenseRow('extend', { until: null }),
  licenseRow('rotate'),
  licenseRow('revoke'),
  {
    route: 'DELETE /v1/licenses/{id}/activations/{activation}',
    scope: 'manage',
    request: ({ license }) => ({ path: `/v1/licenses/${license}/activations/act_none` }),
    own: 404,
    ofOther: 404,
  },
  {
    route: 'POST /v1/downloads/{key}/releases',
    scope: 'admin',
    request: at('/v1/downloads/book/releases?version=1.0&filename=book.txt', {}),
    own: 201,
    ofOther: 404,
  },
  {
    route: 'POST /v1/downloads/{key}/releases/{version}/withdraw',
    scope: 'admin',
    request: at('/v1/downloads/book/releases/1.0/withdraw', {}),
    own: 200,
    ofOther: 404,
  },
  {
    route: 'PUT /v1/license-policies/{key}',
    scope: 'admin',
    request: at('/v1/license-policies/other', { activationsMax: 1 }),
    own: 201,
    ofOther: 201,
  },
  { route: 'PUT /v1/downloads/{key}', scope: 'admin', request: at('/v1/downloads/other', { name: 'Other' }), own: 201, ofOther: 201 },
]

function licenseRow(action: string, body?: unknown): RouteRow {
  return {
    route: `POST /v1/licenses/{id}/${action}`,
    scope: 'manage',
    request: ({ license }) => ({ path: `/v1/licenses/${license}/${action}`, ...(body !== undefined && { body }) }),
    own: 200,
    ofOther: 404,
  }
}
