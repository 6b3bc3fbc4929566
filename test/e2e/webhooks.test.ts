import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { EVENT_TYPES } from '../../domain/webhooks/event-type.ts'
import { verifyWebhook } from '../../sdk/client/verify-webhook.ts'
import { type BillingServer, startBillingServer } from '../support/billing/billing-server.ts'
import { instant } from '../support/billing/billing-vectors.ts'

type Event = {
  readonly id: string
  readonly type: string
  readonly object: string
  readonly version: number
  readonly data: unknown
  readonly previous?: unknown
}
type Feed = { readonly data: readonly Event[]; readonly nextCursor: string }

let server: BillingServer
let receiver: Server
let secret: string
const received: Event[] = []
const forged: string[] = []

beforeAll(async () => {
  receiver = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const body = Buffer.concat(parts).toString()
    const headers = request.headers as Record<string, string>
    const event = JSON.parse(body) as Event
    const sentAt = new Date(Number(headers['webhook-timestamp']) * 1_000)
    if (!headers['webhook-signature']?.includes(new Webhook(secret).sign(headers['webhook-id'] ?? '', sentAt, body))) forged.push(event.id)
    const ofSdk = await verifyWebhook(body, headers, secret, { now: () => sentAt.getTime() })
    if (ofSdk.id !== event.id) forged.push(event.id)
    received.push(event)
    response.end('thank you')
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  server = await startBillingServer(instant('2026-01-01T00:00:00Z'), { TOLLGATE_WEBHOOK_NETWORKS: '127.0.0.0/8' })
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hooks`
  secret = (await server.ok<{ secret: string }>('PUT', '/v1/webhook-endpoints/main', { url })).secret
})
afterAll(async () => {
  await server?.stop()
  receiver.closeAllConnections()
  receiver.close()
})

test('every type is told once by the change that causes it, signed, in order per object; the feed has the same', async () => {
  const { ok } = server
  await ok('PUT', '/v1/billing-settings', { autoFinalise: false, dueDays: 1 })
  await ok('PUT', '/v1/products/p', { name: 'P' })
  await ok('PUT', '/v1/meters/calls', { eventType: 'call', aggregation: 'sum', value: 'n' })
  await ok('PUT', '/v1/features/calls', { type: 'metered', meter: 'calls' })
  const charges = [{ key: 'calls', feature: 'calls', price: { model: 'flat', unitAmount: '1' } }]
  const plan = { product: 'p', name: 'Pro', currency: 'EUR', interval: 'week', baseFee: '10', charges }
  await ok('PUT', '/v1/plans/pro', plan)
  await ok('PUT', '/v1/plans/max', { ...plan, baseFee: '20' })
  await ok('PUT', '/v1/coupons/once', { percent: '10', duration: 'once' })
  await ok('PUT', '/v1/customers/acme', { currency: 'EUR' })
  const { id } = await ok<{ id: string }>('POST', '/v1/subscriptions', { customer: 'acme', plan: 'pro', coupons: ['once'] })
  await ok('POST', '/v1/customers/acme/credits', { id: 'used', amount: '5' })
  await ok('POST', '/v1/customers/acme/credits', { id: 'short', amount: '3', priority: 200, expiresAt: '2026-01-05T00:00:00Z' })
  await ok('POST', '/v1/customers/acme/credits', { id: 'void', amount: '3', effectiveAt: '2027-01-01T00:00:00Z' })
  await ok('POST', '/v1/credits/void/void?customer=acme')
  await ok('POST', '/v1/events', { id: '1', type: 'call', customer: 'acme', data: { n: 7 }, time: '2026-01-01T00:00:00Z' })
  await ok('POST', `/v1/subscriptions/${id}/change`, { plan: 'max', at: '2026-01-10T00:00:00Z' })
  await server.bill()
  server.set(instant('2026-01-08T02:00:00Z'))
  await server.bill()
  const { data: documents } = await ok<{ data: readonly { id: string; due: string; status: string }[] }>(
    'GET',
    '/v1/invoices?customer=acme',
  )
  const open = documents.filter(({ status }) => status === 'finalised')
  await ok('POST', `/v1/invoices/${open[0]?.id}/payments`, { amount: open[0]?.due, reference: 'r1' })
  server.set(instant('2026-01-12T02:00:00Z'))
  await vi.waitFor(() => expect(received.map(({ type }) => type)).toContain('invoice.overdue'), { timeout: 60_000 })
  await ok('POST', `/v1/invoices/${open[1]?.id}/uncollectible`, { reason: 'gone' })
  const draft = async () =>
    (
      await ok<{ id: string }>('POST', '/v1/invoices', {
        customer: 'acme',
        lines: [{ description: 'Work', quantity: '1', unitAmount: '50' }],
      })
    ).id
  const [voided, noted] = [await draft(), await draft()]
  for (const invoice of [voided, noted]) await ok('POST', `/v1/invoices/${invoice}/finalise`)
  await ok('POST', `/v1/invoices/${voided}/void`, { reason: 'a mistake' })
  await ok('POST', `/v1/invoices/${noted}/credit-notes`, { lines: [{ line: '1' }], reason: 'bad' })
  await ok('POST', `/v1/subscriptions/${id}/cancel`, { at: '2026-01-13T00:00:00Z' })
  server.set(instant('2026-01-13T00:00:01Z'))
  // Alerts are told in a test of their own.
  const untold = ['webhook.disabled', 'usage.threshold_reached', 'usage.threshold_resolved']
  // What selling tells is of checkouts, of which there is none here.
  const isOfSelling = (type: string) => /^(checkout|order|license|payment)\.(?!recorded)/.test(type)
  const wanted = EVENT_TYPES.filter((type) => !untold.includes(type) && !isOfSelling(type))
  await vi.waitFor(() => expect([...new Set(received.map(({ type }) => type))].sort()).toEqual([...wanted].sort()), { timeout: 60_000 })

  expect(forged).toEqual([])
  const { data: feed, nextCursor } = await ok<Feed>('GET', '/v1/webhook-events?limit=1000')
  const byVersion = (a: Event, b: Event) => a.version - b.version
  expect([...received].sort(byVersion)).toEqual([...feed].sort(byVersion))
  for (const [object, events] of Map.groupBy(received, (event) => event.object)) {
    expect({ object, versions: events.map(({ version }) => version) }).toEqual({
      object,
      versions: events.map(({ version }) => version).sort((a, b) => a - b),
    })
  }
  const ofSubscription = received.filter(({ object, type }) => object === id && type.startsWith('subscription'))
  expect(ofSubscription.map(({ type }) => type)).toEqual([
    'subscription.created',
    'subscription.changed',
    'subscription.canceled',
    'subscription.ended',
  ])
  expect(ofSubscription[2]).toMatchObject({ data: { id, endAt: '2026-01-13T00:00:00.000Z' }, previous: { id, endAt: null } })
  const once = ['subscription.created', 'credit.depleted', 'credit.expired', 'coupon.ended', 'invoice.voided', 'invoice.overdue']
  for (const type of once) expect({ type, told: received.filter((event) => event.type === type).length }).toEqual({ type, told: 1 })

  expect(await ok<Feed>('GET', `/v1/webhook-events?cursor=${nextCursor}`)).toEqual({ data: [], nextCursor })
  expect((await ok<Feed>('GET', '/v1/webhook-events?types=credit.voided')).data).toMatchObject([{ object: 'void' }])
  expect((await ok<Feed>('GET', '/v1/webhook-events?start=end')).data).toEqual([])
  const { data: deliveries } = await ok<{ data: readonly object[] }>('GET', '/v1/webhook-endpoints/main/deliveries?state=delivered&limit=1')
  expect(deliveries).toMatchObject([{ state: 'delivered', tries: 1, status: 200, answer: 'thank you', nextAt: null }])
})

test('a test is sent at once and answered with what came of it; a rotated secret signs beside the one before', async () => {
  const { ok } = server
  expect(await ok('POST', '/v1/webhook-endpoints/main/test')).toMatchObject({ delivered: true, status: 200, answer: 'thank you' })
  const before = received.length
  const rotated = await ok<{ secret: string; twoSecretsUntil: string }>('POST', '/v1/webhook-endpoints/main/rotate')
  expect(rotated.secret).not.toBe(secret)
  expect(rotated.twoSecretsUntil).toBe('2026-01-14T00:00:01.000Z')
  const replayed = await ok('POST', '/v1/webhook-endpoints/main/replay', { types: ['credit.voided'] })
  expect(replayed).toEqual({ queued: 1, more: false })
  await vi.waitFor(() => expect(received.length).toBe(before + 1), { timeout: 60_000 })
})

test.each([
  { path: 'x', body: { url: 'http://10.0.0.1/' }, status: 400, code: 'invalid_webhook_url' },
  { path: 'x', body: { url: 'https://u:p@example.com/' }, status: 400, code: 'invalid_webhook_url' },
  { path: 'x', body: { url: 'https://example.com/', types: ['invoice.made'] }, status: 400, code: 'invalid_request' },
  { path: 'x', body: { url: 'https://example.com/', types: [] }, status: 400, code: 'invalid_request' },
])('$body is refused with $code', async ({ path, body, status, code }) => {
  const answer = await server.call('PUT', `/v1/webhook-endpoints/${path}`, body)
  expect(answer).toMatchObject({ status, body: { code } })
})

test.each(['rotate', 'test', 'replay'])('%s of an endpoint that is not there is 404', async (what) => {
  expect(await server.call('POST', `/v1/webhook-endpoints/none/${what}`, {})).toMatchObject({
    status: 404,
    body: { code: 'unknown_webhook_endpoint' },
  })
})
