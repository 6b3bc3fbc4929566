import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { EVENT_TYPES } from '../../domain/webhooks/event-type.ts'
import { casesOf } from '../../test/support/billing/billing-vectors.ts'
import { verifyWebhook, WEBHOOK_EVENT_TYPES, WebhookVerificationError } from './verify-webhook.ts'

const SECRET = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`
const OTHER = `whsec_${Buffer.from('another secret of 32 bytes long.').toString('base64')}`
const BODY = JSON.stringify({ id: 'evt_1', type: 'invoice.paid', timestamp: '2026-01-01T00:00:00Z', object: 'inv_1', version: 1, data: {} })
const AT_SECONDS = 1_767_225_600
const now = () => AT_SECONDS * 1_000
const headersOf = (secret: string, change: Record<string, string> = {}) => ({
  'webhook-id': 'evt_1',
  'webhook-timestamp': String(AT_SECONDS),
  'webhook-signature': new Webhook(secret).sign('evt_1', new Date(now()), BODY),
  ...change,
})

test('what the official library signs is verified, from plain headers and from those of fetch', async () => {
  expect(await verifyWebhook(BODY, headersOf(SECRET), SECRET, { now })).toEqual(JSON.parse(BODY))
  expect(await verifyWebhook(BODY, new Headers(headersOf(SECRET)), SECRET, { now })).toMatchObject({ type: 'invoice.paid' })
})

test('while a secret is rotated either is taken', async () => {
  const both = `${headersOf(OTHER)['webhook-signature']} ${headersOf(SECRET)['webhook-signature']}`
  for (const secret of [SECRET, OTHER]) {
    expect(await verifyWebhook(BODY, headersOf(SECRET, { 'webhook-signature': both }), secret, { now })).toMatchObject({ id: 'evt_1' })
  }
})

test.each([
  { why: 'another secret', headers: headersOf(OTHER) },
  { why: 'no headers', headers: {} },
  { why: 'another id', headers: headersOf(SECRET, { 'webhook-id': 'evt_2' }) },
  { why: 'another body', headers: headersOf(SECRET), body: `${BODY} ` },
  { why: 'five minutes ago', headers: headersOf(SECRET), atMs: now() + 301_000 },
  { why: 'ahead of time', headers: headersOf(SECRET), atMs: now() - 301_000 },
  { why: 'a time that is none', headers: headersOf(SECRET, { 'webhook-timestamp': 'now' }) },
  { why: 'another version', headers: headersOf(SECRET, { 'webhook-signature': `v2,${headersOf(SECRET)['webhook-signature'].slice(3)}` }) },
  { why: 'no base64', headers: headersOf(SECRET, { 'webhook-signature': 'v1,%%%' }) },
])('$why is refused', async ({ headers, body = BODY, atMs = now() }) => {
  await expect(verifyWebhook(body, headers, SECRET, { now: () => atMs })).rejects.toThrow(WebhookVerificationError)
})

test('the types are those that the server tells', () => {
  expect([...WEBHOOK_EVENT_TYPES].sort()).toEqual([...EVENT_TYPES, 'webhook.test'].sort())
})

type Input = {
  readonly secret: string
  readonly previousSecret?: string
  readonly webhookId: string
  readonly timestamp: number
  readonly body: string
}
test.each(casesOf<Input, { signature: string }>('webhook'))('$id is verified', async ({ input, expected }) => {
  const headers = { 'webhook-id': input.webhookId, 'webhook-timestamp': String(input.timestamp), 'webhook-signature': expected.signature }
  await expect(verifyWebhook(input.body, headers, input.secret, { now: () => input.timestamp * 1_000 })).resolves.toBeDefined()
})
