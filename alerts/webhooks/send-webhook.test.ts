import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { WEBHOOK_BOUNDS } from '../../domain/webhooks/webhook-bounds.ts'
import { systemClock } from '../../runtime/process/system-clock.ts'
import { isPublicAddress, webhookAddresses } from './public-address.ts'
import { createWebhookSender, type WebhookSenderOptions } from './send-webhook.ts'
import { readWebhookUrl } from './webhook-url.ts'

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function listen(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}
const receiver = (answer: RequestListener) => listen(createServer(answer))

function send(url: string, options: Partial<WebhookSenderOptions> = {}) {
  const mayReach = webhookAddresses(['127.0.0.0/8', '::1'])
  const sender = createWebhookSender({ mayReach, ownPorts: [], clock: systemClock, ...options })
  return sender.send({ url, headers: { 'webhook-id': 'evt_1' }, body: '{}' }).finally(() => sender.stop())
}

test('the answer is its status, the beginning of its body and when to come again', async () => {
  const port = await receiver((request, response) => {
    response.writeHead(request.method === 'POST' && request.headers['webhook-id'] === 'evt_1' ? 503 : 400, { 'retry-after': '7' })
    response.end('busy\0')
  })
  expect(await send(`http://127.0.0.1:${port}/`)).toEqual({ status: 503, answer: 'busy', retryAfterMs: 7_000, error: null })
})

test('an answer without end is read to its bound', async () => {
  let written = 0
  const port = await receiver((_request, response) => {
    const more = () => {
      if (response.destroyed) return
      written += 65_536
      if (response.write('x'.repeat(65_536))) setImmediate(more)
      else response.once('drain', more)
    }
    more()
  })
  const { status, answer } = await send(`http://127.0.0.1:${port}/`)
  expect([status, answer?.length]).toEqual([200, WEBHOOK_BOUNDS.answer.most])
  expect(written).toBeLessThan(50_000_000)
})

test('one that never answers is given up, also within its answer', async () => {
  const silent = await receiver(() => undefined)
  const slow = await receiver((_request, response) => void response.write('a'))
  for (const port of [silent, slow]) {
    expect(await send(`http://127.0.0.1:${port}/`, { tryMs: 50 })).toMatchObject({
      status: null,
      error: expect.stringMatching(/50 ms|closed/),
    })
  }
})

test('a redirect is an answer like any other, and nobody is asked there', async () => {
  let asked = 0
  const inner = await receiver((_request, response) => {
    asked++
    response.end()
  })
  const port = await receiver((_request, response) => void response.writeHead(302, { location: `http://127.0.0.1:${inner}/` }).end())
  expect(await send(`http://127.0.0.1:${port}/`)).toMatchObject({ status: 302 })
  expect(asked).toBe(0)
})

test.each([
  { why: 'a private address', hosts: [['10.0.0.1', 4]] },
  {
    why: 'one private address among public ones',
    hosts: [
      ['93.184.216.34', 4],
      ['169.254.169.254', 4],
    ],
  },
  { why: 'a private address within IPv6', hosts: [['::ffff:192.168.0.1', 6]] },
] as const)('a name that leads to $why is refused after it is resolved', async ({ hosts }) => {
  const resolve = ((_name: string, _options: object, done: (error: null, found: object[]) => void) =>
    done(
      null,
      hosts.map(([address, family]) => ({ address, family })),
    )) as never
  const sent = await send('http://rebound.example/', { mayReach: webhookAddresses([]), resolve })
  expect(sent).toMatchObject({ status: null, error: expect.stringContaining('not a public address') })
})

test('a name that means another address at each look goes to the one that was looked at', async () => {
  let asked = 0
  const port = await receiver((_request, response) => {
    asked++
    response.end()
  })
  const answers = [['127.0.0.1'], ['10.0.0.1']]
  const resolve = ((_name: string, _options: object, done: (error: null, found: object[]) => void) =>
    done(
      null,
      (answers.shift() ?? []).map((address) => ({ address, family: 4 })),
    )) as never
  expect(await send(`http://rebound.example:${port}/`, { resolve })).toMatchObject({ status: 200 })
  expect(await send(`http://rebound.example:${port}/`, { resolve })).toMatchObject({ status: null })
  expect(asked).toBe(1)
})

test('nothing is sent to a port of its own, by address or by name', async () => {
  let asked = 0
  const port = await receiver((_request, response) => {
    asked++
    response.end()
  })
  for (const host of ['127.0.0.1', 'localhost']) {
    expect(await send(`http://${host}:${port}/`, { ownPorts: [port] })).toMatchObject({
      status: null,
      error: expect.stringContaining('itself'),
    })
  }
  expect(asked).toBe(0)
})

test('what speaks no TLS, or has a certificate that nobody signed, gets nothing', async () => {
  const plain = await receiver((_request, response) => void response.end())
  expect(await send(`https://127.0.0.1:${plain}/`)).toMatchObject({ status: null, error: expect.any(String) })
  const keyless = await listen(createTlsServer({}))
  expect(await send(`https://127.0.0.1:${keyless}/`)).toMatchObject({ status: null, error: expect.any(String) })
})

test.each([
  ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '169.254.169.254', '172.31.0.1', '192.168.1.1', '198.18.0.1', '224.0.0.1'],
  ...['255.255.255.255', '::', '::1', '::ffff:10.0.0.1', '::ffff:8.8.8.8', '64:ff9b::a00:1', 'fe80::1', 'fc00::1', 'ff02::1'],
  ...['2001:db8::1', '2002:a00:1::', '2001::1', 'example.com', ''],
])('%s is no public address', (address) => {
  expect(isPublicAddress(address)).toBe(false)
})
test.each(['93.184.216.34', '8.8.8.8', '172.32.0.1', '2606:4700::1111'])('%s is a public address', (address) => {
  expect(isPublicAddress(address)).toBe(true)
})

test.each([
  ...[
    'nothing',
    'ftp://example.com/',
    'file:///etc/passwd',
    'https://user:secret@example.com/',
    'https://example.com/#part',
    'http://127.0.0.1/',
  ],
  ...[
    'http://[::1]/',
    'http://0x7f.1/',
    'http://2130706433/',
    'http://localhost:8080/',
    'http://a.localhost/',
    'http://[::ffff:10.0.0.1]/',
  ],
])('%s is refused as a URL', (url) => {
  expect(readWebhookUrl(url, webhookAddresses([]))).toMatchObject({ code: 'invalid_webhook_url', errors: [{ field: 'url' }] })
})
test('a URL is kept as it was written; a network that the settings name may be reached', () => {
  expect(readWebhookUrl('https://Example.com/Hooks?a=1', webhookAddresses([]))).toBe('https://Example.com/Hooks?a=1')
  expect(readWebhookUrl('http://10.1.2.3/', webhookAddresses(['10.1.0.0/16']))).toBe('http://10.1.2.3/')
  expect(readWebhookUrl('http://10.2.2.3/', webhookAddresses(['10.1.0.0/16']))).toMatchObject({ code: 'invalid_webhook_url' })
})
