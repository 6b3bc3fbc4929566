import { hash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BillingServer, startBillingServer } from '../support/billing/billing-server.ts'
import { instant } from '../support/billing/billing-vectors.ts'
import { createFormBrowser, decoded } from '../support/selling/form-browser.ts'

const START = '2026-03-01T12:00:00Z'
const BOOK = Buffer.from('%PDF-1.7 an e-book of a few bytes, so that ranges of it can be put together')

type Invoice = {
  readonly id: string
  readonly status: string
  readonly kind: string
  readonly total: string
  readonly paid: string
  readonly number: string
}

/** A visitor buys a plan sold once, by the pages, without JavaScript, with payments that move no money. */
describe('selling', () => {
  let server: BillingServer
  const post = (path: string, body: object = {}) => server.call('POST', path, body)
  const checkout = async (plan: string, more: object = {}) =>
    await server.ok<{ id: string; url: string; status: string }>('POST', '/v1/checkouts', { plan, ...more })

  beforeAll(async () => {
    server = await startBillingServer(instant(START), { TOLLGATE_PAYMENTS: 'test' })
    const { ok } = server
    await ok('PUT', '/v1/tax-rates/vat', { name: 'VAT', percent: '19' })
    await ok('PUT', '/v1/billing-settings', { autoFinalise: false, taxRates: ['vat'], seller: { name: 'Northwind Books' } })
    await ok('PUT', '/v1/products/book', { name: 'The book' })
    await ok('PUT', '/v1/meters/prints', { eventType: 'print', aggregation: 'count' })
    await ok('PUT', '/v1/features/prints', { type: 'metered', meter: 'prints' })
    await ok('PUT', '/v1/license-policies/reader', { prefix: 'PRO', activationsMax: 2 })
    await ok('PUT', '/v1/downloads/book', { name: 'The book' })
    await upload('book', '1.0', 'The Bücher.pdf', BOOK)
    await ok('PUT', '/v1/plans/book', {
      ...{ product: 'book', name: 'The book', currency: 'EUR', interval: 'once', baseFee: '49' },
      entitlements: [{ feature: 'prints', limit: '10', reset: 'never' }],
      deliverables: [
        { key: 'file', kind: 'download', download: 'book' },
        { key: 'reader', kind: 'license', policy: 'reader' },
        { key: 'forum', kind: 'link', url: 'https://forum.example/invite', label: 'Forum' },
      ],
    })
  })
  afterAll(() => server?.stop())

  const upload = async (key: string, version: string, filename: string, bytes: Buffer) =>
    await fetch(`${server.url}/v1/downloads/${key}/releases?version=${version}&filename=${encodeURIComponent(filename)}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/pdf' },
      body: new Uint8Array(bytes),
    })

  /** Goes through the pages to the end; the page that shows what was bought. */
  const buy = async (url: string, choice = 'pay', typed: Record<string, string> = {}) => {
    const browser = createFormBrowser()
    await browser.get(url)
    await browser.submit({ email: 'ada@example.com', name: 'Ada', do: 'pay', ...typed })
    return { browser, page: await browser.submit({ choice }) }
  }
  const keyOn = (html: string) => /PRO(-[0-9A-Z]{5}){6}/.exec(html)?.[0] ?? ''

  test('from a price to what the customer holds: invoice, order, key, file, link, limits', async () => {
    const { id, url, status } = await checkout('book', { successUrl: 'https://shop.example/thanks' })
    expect(status).toBe('open')
    const browser = createFormBrowser()
    const shown = await browser.get(url)
    expect(shown).toMatchObject({ status: 200 })
    expect(shown.html).toContain('58.31 EUR')
    expect(shown.html).toContain('No money moves on this page')
    expect(shown.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    const paying = await browser.submit({ email: 'ada@example.com', name: 'Ada Lovelace', do: 'pay' })
    expect(paying.url).toContain('/pay/test/')
    const bought = await browser.submit({ choice: 'pay' })
    expect(bought).toMatchObject({ status: 200, url })
    expect(decoded(bought.html)).toContain(`https://shop.example/thanks?checkout=${id}`)
    const key = keyOn(bought.html)
    expect(key).not.toBe('')
    // Another browser with the same address sees nothing of it.
    expect((await createFormBrowser().get(url)).html).not.toContain(key)

    expect(await server.ok('GET', `/v1/checkouts/${id}`)).toMatchObject({ status: 'complete' })
    const { data: orders } = await server.ok<{ data: { id: string; customer: string; invoice: string }[] }>('GET', '/v1/orders')
    const order = orders[0]
    expect(order).toMatchObject({ status: 'paid', paid: '58.31', checkout: id, endsAt: null })
    const customer = order?.customer ?? ''
    const invoice = await server.ok<Invoice>('GET', `/v1/invoices/${order?.invoice}`)
    expect(invoice).toMatchObject({
      ...{ kind: 'order', status: 'paid', total: '58.31', paid: '58.31', billTo: { email: 'ada@example.com', name: 'Ada Lovelace' } },
      lines: [{ kind: 'base', quantity: '1', unitAmount: '49.00', amount: '49.00', tax: '9.31' }],
    })
    const { data: licenses } = await server.ok<{ data: object[] }>('GET', `/v1/licenses?customer=${customer}`)
    expect(licenses).toMatchObject([{ status: 'active', lastFour: key.slice(-4) }])
    expect(JSON.stringify(licenses)).not.toContain(key)
    expect(await server.ok('GET', `/v1/customers/${customer}/links`)).toMatchObject({ data: [{ url: 'https://forum.example/invite' }] })
    expect(await server.ok('GET', `/v1/customers/${customer}/balances/prints`)).toMatchObject({ limit: '10' })

    const { data: files } = await server.ok<{ data: { url: string; sha256: string }[] }>('GET', `/v1/customers/${customer}/downloads`)
    const file = files[0]?.url ?? ''
    expect(files).toMatchObject([{ version: '1.0', filename: 'The Bücher.pdf', sha256: hash('sha256', BOOK) }])
    const whole = await fetch(file)
    expect(whole.headers.get('content-disposition')).toBe(`attachment; filename="The B_cher.pdf"; filename*=UTF-8''The%20B%C3%BCcher.pdf`)
    expect(Buffer.from(await whole.arrayBuffer())).toEqual(BOOK)
    const parts = await Promise.all(
      ['bytes=0-9', 'bytes=10-'].map(async (range) => {
        const part = await fetch(file, { headers: { range } })
        expect(part.status).toBe(206)
        return Buffer.from(await part.arrayBuffer())
      }),
    )
    expect(Buffer.concat(parts)).toEqual(BOOK)
  })

  test('a license of two machines: the third is refused, and one that is freed makes room', async () => {
    const { url } = await checkout('book')
    const key = keyOn((await buy(url)).page.html)
    const activate = (fingerprint: string) => post('/v1/licenses/activate', { key, instance: { name: fingerprint, fingerprint } })
    const first = await activate('m1')
    expect(first).toMatchObject({ status: 201, body: { license: { status: 'active' }, token: expect.stringMatching(/^ey/) } })
    expect((await activate('m1')).status).toBe(200)
    expect((await activate('m2')).status).toBe(201)
    expect(await activate('m3')).toMatchObject({
      status: 409,
      body: { code: 'activation_limit_reached', limit: '2', instances: expect.stringMatching(/^(m1, m2|m2, m1)$/) },
    })
    const { activation } = first.body as { activation: { id: string } }
    const ended = { key, activation: activation.id }
    expect(await post('/v1/licenses/deactivate', ended)).toMatchObject({ status: 200, body: { deactivated: true } })
    expect(await post('/v1/licenses/deactivate', ended)).toMatchObject({ status: 200, body: { deactivated: false } })
    expect((await activate('m3')).status).toBe(201)
    expect(await post('/v1/licenses/validate', { key: key.toLowerCase().replaceAll('-', ' ') })).toMatchObject({ body: { valid: true } })
    expect(await post('/v1/licenses/validate', ended)).toMatchObject({ status: 200, body: { valid: false, code: 'not_activated' } })
  })

  test('a key that is too long, and a body that is, are refused by name before anything is looked up', async () => {
    const long = await post('/v1/licenses/validate', { key: 'A'.repeat(256) })
    expect(long).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    const huge = await post('/v1/licenses/activate', { key: 'A'.repeat(20_000), instance: { name: 'm' } })
    expect(huge).toMatchObject({ status: 413, body: { code: 'payload_too_large' } })
  })

  test('notices that are too long, or none, are refused', async () => {
    const send = async (body: string) => (await fetch(`${server.url}/v1/payment-notices/test`, { method: 'POST', body })).json()
    expect(await send('x')).toMatchObject({ status: 400, code: 'bad_signature' })
    expect(await send('x'.repeat(300_000))).toMatchObject({ status: 413, code: 'payload_too_large' })
    const ofOthers = await fetch(`${server.url}/v1/payment-notices/stripe`, { method: 'POST', body: '{}' })
    expect(await ofOthers.json()).toMatchObject({ status: 409, code: 'payments_off' })
  })

  test('a form that is too long is refused', async () => {
    const { url } = await checkout('book')
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await fetch(url, { method: 'POST', headers, body: `email=${'a'.repeat(20_000)}` })
    expect(await answer.json()).toMatchObject({ status: 413, code: 'payload_too_large' })
  })

  test('a checkout that nobody pays ends once, is told once, and sells nothing any more', async () => {
    const { id, url } = await checkout('book', { expiresAt: '2026-03-01T13:00:00Z' })
    server.set(instant('2026-03-01T13:00:00Z'))
    expect((await createFormBrowser().get(url)).status).toBe(410)
    expect(await server.ok('GET', `/v1/checkouts/${id}`)).toMatchObject({ status: 'expired' })
    server.set(instant(START))
  })

  test('wrong keys are held up and right ones are not', async () => {
    const { url } = await checkout('book')
    const key = keyOn((await buy(url)).page.html)
    const wrong = await Promise.all(Array.from({ length: 25 }, () => post('/v1/licenses/validate', { key: 'NO-SUCH-KEY' })))
    expect(wrong.filter(({ status }) => status === 200)).not.toHaveLength(0)
    expect(wrong.at(-1)).toMatchObject({ status: 429, body: { code: 'too_many_wrong_keys' } })
    expect(await post('/v1/licenses/validate', { key })).toMatchObject({ status: 200, body: { valid: true } })
  })
})
