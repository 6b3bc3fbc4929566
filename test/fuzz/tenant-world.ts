import { fillFromPrepared } from '../support/prepared-directory.ts'
import { runTollgate, type TollgateProcess, temporaryDirectory, waitFor } from '../support/servers/tollgate-process.ts'

/** The data of a tenant. Every tenant has the same keys; `marker` is in every text that it alone may read. */
export type TenantWorld = {
  readonly adminKey: string
  readonly marker: string
  readonly subscription: string
  readonly grant: string
  readonly billingRun: string
  /** The opening document of the subscription, final. */
  readonly invoice: string
  /** A key that nobody uses. */
  readonly spareKeyId: string
  /** Of customer acme, with every scope. */
  readonly token: string
  /** Of customer acme, made by hand. */
  readonly license: string
  readonly licenseKey: string
}

export type CallAs = <Body = unknown>(method: string, path: string, body?: unknown) => Promise<Body>

/** A directory in which `other` has an admin key too: the contract makes keys of the caller's own tenant only. */
export async function directoryOfTwoTenants(): Promise<{ readonly dataDir: string; readonly otherAdminKey: string }> {
  const dataDir = await temporaryDirectory()
  await fillFromPrepared(dataDir)
  const args = ['keys', 'create', '--name', 'other admin', '--scopes', 'admin', '--tenant', 'other']
  const { code, output } = await runTollgate(args, { TOLLGATE_DATA_DIR: dataDir })
  const otherAdminKey = /tg_sk_\w{49}/.exec(output)?.[0]
  if (code !== 0 || otherAdminKey === undefined) throw new Error(`no key for the second tenant:\n${output}`)
  return { dataDir, otherAdminKey }
}

export function callerOf(tollgate: Pick<TollgateProcess, 'ok'>, key: string): CallAs {
  return (method, path, body) => tollgate.ok(method, path, body, { authorization: `Bearer ${key}` })
}

/** `quantity` is used of feature tokens, so that a number of one tenant can be told from those of another. */
export async function fillTenant(call: CallAs, adminKey: string, marker: string, quantity: string): Promise<TenantWorld> {
  const meter = { eventType: 'llm.request', aggregation: 'sum', value: ['input_tokens', 'output_tokens'], dimensions: { model: 'model' } }
  await call('PUT', '/v1/meters/tokens', meter)
  await call('PUT', '/v1/meters/spare', { eventType: 'spare', aggregation: 'count' })
  await call('PUT', '/v1/features/tokens', { name: `Tokens ${marker}`, type: 'metered', meter: 'tokens', unit: 'token' })
  await call('PUT', '/v1/features/region', { name: `Region ${marker}`, type: 'config' })
  await call('PUT', '/v1/products/assistant', { name: `Assistant ${marker}`, description: marker })
  await call('PUT', '/v1/plans/pro', planOf(marker))
  await call('PUT', '/v1/coupons/welcome', { percent: '10', duration: 'once' })
  await call('PUT', '/v1/tax-rates/vat', { name: `VAT ${marker}`, percent: '20' })
  for (const key of ['near', 'spare']) await call('PUT', `/v1/alerts/${key}`, { on: 'usage', feature: 'tokens', at: '99%' })
  for (const key of ['hooks', 'spare-hooks', 'last-hooks']) {
    await call('PUT', `/v1/webhook-endpoints/${key}`, { url: `https://hooks.invalid/${marker}` })
  }
  await call('PUT', '/v1/customers/acme', {
    name: `Acme ${marker}`,
    email: `${marker}@example.test`,
    subjects: ['seat-1'],
    metadata: { note: marker },
  })
  const { id: subscription } = await call<{ id: string }>('POST', '/v1/subscriptions', { customer: 'acme', plan: 'pro' })
  const { id: grant } = await call<{ id: string }>('POST', '/v1/customers/acme/grants', { feature: 'tokens', amount: quantity })
  await call('PUT', '/v1/customers/acme/entitlements/region', { value: { note: marker } })
  await call('POST', '/v1/events', {
    id: 'request-1',
    type: 'llm.request',
    customer: 'acme',
    note: marker,
    data: { model: `model-${marker}`, input_tokens: quantity, output_tokens: 1 },
  })
  for (const id of ['hold-1', 'hold-2', 'hold-3']) {
    await call('POST', '/v1/reservations', { id, customer: 'acme', feature: 'tokens', quantity: '2', ttlMs: 86_400_000 })
  }
  await call('POST', '/v1/customers/acme/balances/tokens/reset', { reason: marker })
  const { id: spareKeyId } = await call<{ id: string }>('POST', '/v1/keys', { name: `reader of ${marker}`, scopes: ['read'] })
  const { billingRun, invoice } = await openingInvoice(call)
  const scopes = ['read', 'decide', 'portal']
  const { token } = await call<{ token: string }>('POST', '/v1/customer-tokens', { customer: 'acme', scopes, ttlMs: 86_400_000 })
  await call('PUT', '/v1/license-policies/reader', { activationsMax: 2 })
  await call('PUT', '/v1/downloads/book', { name: `Book ${marker}` })
  await call('PUT', '/v1/plans/book', {
    product: 'assistant',
    name: `Book ${marker}`,
    currency: 'USD',
    interval: 'once',
    baseFee: '9',
    isListed: true,
  })
  const ofAcme = { customer: 'acme', policy: 'reader', product: 'assistant' }
  const { id: license, key: licenseKey } = await call<{ id: string; key: string }>('POST', '/v1/licenses', ofAcme)
  return { license, licenseKey, adminKey, marker, subscription, grant, billingRun, invoice, spareKeyId, token }
}

async function openingInvoice(call: CallAs): Promise<Pick<TenantWorld, 'billingRun' | 'invoice'>> {
  const { id: billingRun } = await call<{ id: string }>('POST', '/v1/billing-runs', {})
  let invoice: string | undefined
  await waitFor(async () => {
    const { data } = await call<{ data: readonly { id: string }[] }>('GET', '/v1/invoices?customer=acme')
    invoice = data[0]?.id
    return invoice !== undefined
  })
  return { billingRun, invoice: invoice ?? '' }
}

function planOf(marker: string) {
  return {
    product: 'assistant',
    name: `Pro ${marker}`,
    currency: 'USD',
    interval: 'month',
    baseFee: '20.00',
    charges: [{ key: 'tokens', feature: 'tokens', price: { model: 'flat', unitAmount: '2.50', per: '1000000' } }],
    entitlements: [
      { feature: 'tokens', limit: '5000000', limitType: 'hard', reset: 'month' },
      { feature: 'region', value: { note: marker } },
    ],
  }
}

/** Everything that the tenant reads of itself; two are equal when nobody else wrote there meanwhile. */
export async function readTenant(call: CallAs, { subscription }: TenantWorld): Promise<Readonly<Record<string, unknown>>> {
  const paths = [
    '/v1/meters',
    '/v1/features',
    '/v1/products',
    '/v1/plans',
    '/v1/customers',
    '/v1/customers/acme/grants',
    '/v1/customers/acme/entitlements/region',
    '/v1/customers/acme/balances',
    '/v1/subscriptions',
    `/v1/subscriptions/${subscription}/upcoming-invoice`,
    '/v1/invoices',
    '/v1/coupons',
    '/v1/billing-settings',
    '/v1/customers/acme/credits?currency=USD',
    '/v1/reservations/hold-1',
    '/v1/reservations/hold-2',
    '/v1/events?customer=acme',
    '/v1/events/request-1?customer=acme',
  ]
  const found: Record<string, unknown> = {}
  for (const path of paths) found[path] = await call('GET', path)
  // Reading is a use of a key, noted once a minute.
  const { data: keys } = await call<{ data: readonly Readonly<Record<string, unknown>>[] }>('GET', '/v1/keys')
  found.keys = keys.map((key) => ({ ...key, lastUsedAt: null }))
  return found
}
