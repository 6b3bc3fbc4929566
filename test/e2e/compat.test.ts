import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { directoryOfTwoTenants } from '../fuzz/tenant-world.ts'
import { removeDirectory, startTollgate, type TollgateProcess } from '../support/servers/tollgate-process.ts'
import { type SdksForTest, vendorPythonSdks, vendorSdks } from '../support/servers/vendor-sdks.ts'

/** Each drives the vendor's own SDK through its documented flows. `notServed`: how its failing steps begin, and why they fail. */
const SCRIPTS: readonly {
  readonly vendor: string
  readonly flags: readonly string[]
  readonly notServed: Readonly<Record<string, string>>
}[] = [
  {
    vendor: 'kelviq',
    flags: ['--all'],
    notServed: {
      'checkout.createSession': 'there are no checkouts yet',
      'checkoutUrl shows a page': 'there are no checkouts yet',
      'confirming the page': 'there are no checkouts yet',
      'confirming twice': 'there are no checkouts yet',
      'python: checkout.create_session': 'there are no checkouts yet',
      'portal.createSession': 'there is no portal yet',
      'license calls': 'there are no licenses yet',
    },
  },
  {
    vendor: 'openmeter',
    flags: ['--extended'],
    notServed: {
      'extended: an entitlement with an anchor': 'an override begins when it is made',
      'extended: entitlements.history': 'there is no history of a balance',
      'extended: a portal token': 'portal tokens are not served yet',
    },
  },
  {
    vendor: 'autumn',
    flags: ['--all'],
    notServed: {
      'billing.previewAttach': 'previews are not served yet',
      'billing.attach with redirectMode always': 'there are no checkouts yet',
      'billing.openCustomerPortal': 'there is no portal yet',
      'entities have balances': 'a customer has no balances below it',
      trackTokens: 'a model call has no price in money yet',
    },
  },
  {
    vendor: 'stripe',
    flags: ['--extended'],
    notServed: {
      'extended: billing.meterEventAdjustments.create': 'an event cannot be taken back yet',
      'extended: webhooks are signed': 'alerts and webhooks have no shape of Stripe yet',
    },
  },
  { vendor: 'lago', flags: ['--extended'], notServed: {} },
]

const KELVIQ_EVENT = { customer_id: 'timed', event_name: 'e', idempotency_key: 'k1' }
const AUTUMN_TRACK = { customer_id: 'timed', event_name: 'e' }
const OPENMETER_EVENT = { id: 'o1', source: 's', specversion: '1.0', type: 'e', subject: 'timed' }
const STRIPE_EVENT = { event_name: 'timed', payload: { stripe_customer_id: 'timed', value: '1' } }

let tollgate: TollgateProcess
let otherAdminKey: string
let node: SdksForTest
let python: SdksForTest

beforeAll(async () => {
  node = await vendorSdks()
  python = await vendorPythonSdks()
  const directory = await directoryOfTwoTenants()
  otherAdminKey = directory.otherAdminKey
  tollgate = await startTollgate({ dataDir: directory.dataDir, env: { TOLLGATE_WRONG_KEYS_MAX: '1000000' } })
})
afterAll(async () => {
  await tollgate.kill()
  await removeDirectory(tollgate.dataDir)
})

describe.each(SCRIPTS)('the unmodified SDK of $vendor', ({ vendor, flags, notServed }) => {
  test('is served step by step', async ({ skip }) => {
    if (node.path === null) return skip(node.missing)
    const withPython = vendor === 'kelviq' && python.path !== null ? ['--python', python.path] : []
    const output = await runScript(vendor, ['--url', tollgate.url, '--key', tollgate.adminKey, '--sdk', node.path, ...flags, ...withPython])
    const failed = output.split('\n').flatMap((line) => /^FAIL (.*)/.exec(line)?.[1] ?? [])
    const isKnown = (step: string) => Object.keys(notServed).some((start) => step.startsWith(start))
    expect(failed.filter((step) => !isKnown(step))).toEqual([])
    // A step that is served by now leaves the list.
    expect(Object.keys(notServed).filter((start) => !failed.some((step) => step.startsWith(start)))).toEqual([])
    expect(output.match(/^ok /gm)?.length).toBeGreaterThan(0)
  })
})

type Refused = {
  readonly status: number
  readonly contentType: string | null
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

/** What each SDK needs in order to throw the class that its users catch. */
const SHAPES: Readonly<Record<string, (refused: Refused) => void>> = {
  kelviq: ({ contentType, body }) => {
    expect(contentType).toContain('application/json')
    expect(body).toMatchObject({ detail: expect.any(String), code: expect.any(String) })
  },
  openmeter: ({ contentType, status, body }) => {
    expect(contentType).toBe('application/problem+json')
    expect(body).toMatchObject({ status, title: expect.any(String), detail: expect.any(String) })
  },
  autumn: ({ contentType, body }) => {
    expect(contentType).toContain('application/json')
    expect(body).toMatchObject({ message: expect.any(String), code: expect.any(String), env: 'live' })
  },
  stripe: ({ headers, body }) => {
    expect(headers.get('request-id')).toEqual(expect.any(String))
    expect(body).toEqual({ error: expect.objectContaining({ type: expect.any(String), message: expect.any(String) }) })
  },
  lago: ({ contentType, status, body }) => {
    expect(contentType).toContain('application/json')
    expect(body).toMatchObject({ status, error: expect.any(String) })
  },
}
const JSON_CALLS: Readonly<Record<string, string>> = {
  kelviq: '/compat/kelviq/api/v1/customers/',
  openmeter: '/compat/openmeter/api/v1/customers',
  autumn: '/compat/autumn/v1/customers.get',
  stripe: '/compat/stripe/v2/billing/meter_events',
  lago: '/compat/lago/api/v1/customers',
}

describe.each(Object.keys(SHAPES))('every refusal has the shape of %s, also those before a route', (vendor) => {
  const path = JSON_CALLS[vendor] ?? ''
  const keyed = () => ({ authorization: `Bearer ${tollgate.adminKey}`, 'content-type': 'application/json' })
  test.each([
    { name: 'no key', status: 401, send: () => ({ path, headers: { 'content-type': 'application/json' }, body: '{}' }) },
    { name: 'a wrong key', status: 401, send: () => ({ path, headers: { ...keyed(), authorization: 'Bearer no' }, body: '{}' }) },
    {
      name: 'a call that is not served',
      status: 501,
      send: () => ({ path: `/compat/${vendor}/v1/nothing`, headers: keyed(), body: '{}' }),
    },
    { name: 'a path of nobody', status: 501, send: () => ({ path: `/compat/${vendor}`, headers: keyed(), body: '{}' }) },
    { name: 'no JSON', status: 400, send: () => ({ path, headers: keyed(), body: '{"a":' }) },
    { name: 'a list where an object belongs', status: 400, send: () => ({ path, headers: keyed(), body: '[1]' }) },
    {
      name: 'a body too large',
      status: 413,
      send: () => ({ path, headers: keyed(), body: JSON.stringify({ text: 'x'.repeat(2_000_000) }) }),
    },
    { name: 'another type', status: 415, send: () => ({ path, headers: { ...keyed(), 'content-type': 'text/csv' }, body: 'a,b' }) },
    { name: 'a URL that is none', status: 400, send: () => ({ path: `${path}%zz`, headers: keyed(), body: '{}' }) },
  ])('$name', async ({ status, send }) => {
    const { path: to, headers, body } = send()
    const answer = await fetch(tollgate.url + to, { method: 'POST', headers, body })
    const refused = {
      status: answer.status,
      contentType: answer.headers.get('content-type'),
      headers: answer.headers,
      body: (await answer.json()) as Record<string, unknown>,
    }
    SHAPES[vendor]?.(refused)
    expect(refused.status).toBe(status)
  })
})

describe('bad input', () => {
  const ask = async (method: string, path: string, body?: unknown, key = tollgate.adminKey) =>
    await tollgate.call(method, path, body, { authorization: `Bearer ${key}` })

  test.each([
    { path: '/compat/kelviq/api/v1/customers/?page=0', status: 400 },
    { path: '/compat/kelviq/api/v1/customers/?page=1.5', status: 400 },
    { path: '/compat/kelviq/api/v1/customers/?page=1&page_size=101', status: 400 },
    { path: '/compat/openmeter/api/v1/customers?page=0', status: 400 },
    { path: '/compat/openmeter/api/v1/customers?page=1&pageSize=-1', status: 400 },
  ])('$path', async ({ path, status }) => expect((await ask('GET', path)).status).toBe(status))

  test('page ten million is empty, and says how many there are', async () => {
    await tollgate.ok('PUT', '/v1/customers/page-of-one', {})
    const { body } = await ask('GET', '/compat/kelviq/api/v1/customers/?page=10000000&page_size=100')
    expect(body).toMatchObject({ results: [], next: null, count: expect.any(Number) })
  })

  test.each(['team/7', 'a?b=c', 'auth0|5f7c', 'grüße 100%', '..%2f..'])('a customer called %s', async (id) => {
    expect((await ask('POST', '/compat/kelviq/api/v1/customers/', { customer_id: id })).status).toBe(201)
    expect((await ask('GET', `/compat/kelviq/api/v1/customers/${encodeURIComponent(id)}/`)).body).toMatchObject({ customerId: id })
    expect((await ask('GET', `/compat/openmeter/api/v1/customers/${encodeURIComponent(id)}`)).body).toMatchObject({ key: id })
    expect((await ask('POST', '/compat/autumn/v1/customers.get', { customer_id: id })).body).toMatchObject({ id })
  })

  test('what another tenant has is not there', async () => {
    await tollgate.ok('PUT', '/v1/customers/ours', { name: 'Ours' })
    for (const { path, method, body } of [
      { method: 'GET', path: '/compat/kelviq/api/v1/customers/ours/', body: undefined },
      { method: 'GET', path: '/compat/openmeter/api/v1/customers/ours', body: undefined },
      { method: 'POST', path: '/compat/autumn/v1/customers.get', body: { customer_id: 'ours' } },
      { method: 'GET', path: '/compat/stripe/v1/customers/ours', body: undefined },
    ]) {
      expect([path, (await ask(method, path, body)).status, (await ask(method, path, body, otherAdminKey)).status]).toEqual([
        path,
        200,
        404,
      ])
    }
  })

  test.each([
    { unit: 'seconds for a text', path: '/compat/kelviq/api/v1/report/event/', body: { ...KELVIQ_EVENT, timestamp: '1796090000' } },
    { unit: 'seconds for milliseconds', path: '/compat/autumn/v1/balances.track', body: { ...AUTUMN_TRACK, timestamp: 1_796_090_000 } },
    { unit: 'seconds for a text', path: '/compat/openmeter/api/v1/events', body: [{ ...OPENMETER_EVENT, time: 1_796_090_000 }] },
    {
      unit: 'milliseconds for seconds',
      path: '/compat/stripe/v2/billing/meter_events',
      body: { ...STRIPE_EVENT, timestamp: '1796090000000' },
    },
  ])('a time in another unit: $unit', async ({ path, body }) => {
    await tollgate.ok('PUT', '/v1/customers/timed', {})
    await ask('POST', '/compat/stripe/v1/billing/meters', {
      event_name: 'timed',
      display_name: 'Timed',
      default_aggregation: { formula: 'sum' },
    })
    expect((await ask('POST', path, body)).status).toBe(400)
  })

  test('the same events in their own unit are taken', async () => {
    const atMs = Date.now()
    const seconds = String(Math.floor(atMs / 1_000))
    const sent = [
      {
        path: '/compat/kelviq/api/v1/report/event/',
        body: { ...KELVIQ_EVENT, timestamp: new Date(atMs).toISOString().slice(0, 23).replace('T', ' ') },
      },
      { path: '/compat/autumn/v1/balances.track', body: { ...AUTUMN_TRACK, timestamp: atMs } },
      { path: '/compat/openmeter/api/v1/events', body: [{ ...OPENMETER_EVENT, time: new Date(atMs).toISOString() }] },
      { path: '/compat/stripe/v2/billing/meter_events', body: { ...STRIPE_EVENT, timestamp: seconds } },
    ]
    for (const { path, body } of sent)
      expect([path, (await ask('POST', path, body)).status]).toEqual([path, path.includes('openmeter') ? 204 : 200])
  })

  test('one event alone, as LiteLLM’s callback sends it', async () => {
    const headers = { authorization: `Bearer ${tollgate.adminKey}`, 'content-type': 'application/cloudevents+json' }
    const body = JSON.stringify({ ...OPENMETER_EVENT, data: { model: 'gpt-4o', cost: 0.01, prompt_tokens: 3 } })
    expect((await fetch(`${tollgate.url}/compat/openmeter/api/v1/events`, { method: 'POST', headers, body })).status).toBe(204)
  })

  test('a key that may only send events reads nothing', async () => {
    const { key } = await tollgate.ok<{ key: string }>('POST', '/v1/keys', { name: 'sender', scopes: ['ingest'] })
    for (const path of [
      'kelviq/api/v1/customers/',
      'openmeter/api/v1/subjects',
      'openmeter/api/v1/plans',
      'stripe/v1/prices',
      'stripe/v1/customers',
    ]) {
      expect([path, (await ask('GET', `/compat/${path}`, undefined, key)).status]).toEqual([path, 403])
    }
  })

  test('a request of Stripe’s client is Stripe’s by its header, on our own paths', async () => {
    const headers = { authorization: `Bearer ${tollgate.adminKey}` }
    const ours = await fetch(`${tollgate.url}/v1/customers/nobody-here`, { headers })
    const theirs = await fetch(`${tollgate.url}/v1/customers/nobody-here`, {
      headers: { ...headers, 'stripe-version': '2026-10-28.endive' },
    })
    expect([await ours.json(), await theirs.json()]).toMatchObject([{ code: 'unknown_customer' }, { error: { code: 'resource_missing' } }])
  })
})

async function runScript(vendor: string, args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [join(import.meta.dirname, `../compat/${vendor}.mjs`), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const collect = (chunk: Buffer) => {
    output += chunk.toString()
  }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', collect)
  await new Promise((resolve) => child.once('close', resolve))
  return output
}
