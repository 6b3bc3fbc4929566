import type { Static } from 'typebox'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { BalanceSchema } from '../../schemas/http/balance.ts'
import type { InvoiceSchema } from '../../schemas/http/catalog.ts'
import type { InvoiceDocumentSchema } from '../../schemas/http/invoices.ts'
import { type FaultyServer, startFaultyServer } from '../../test/support/servers/faulty-server.ts'
import type { Balance } from './balance.ts'
import type { Invoice, UpcomingInvoice } from './invoice.ts'
import { createTollgateClient, type TollgateClient } from './tollgate-client.ts'

let server: FaultyServer
let client: TollgateClient

beforeEach(async () => {
  server = await startFaultyServer()
  client = createTollgateClient({ url: server.url, key: 'tg_key', sleep: async () => undefined })
})
afterEach(async () => {
  await client.close()
  await server.stop()
})
const asked = () => server.received.map(({ method, path, body }) => [method, path, body])

// Checked by the compiler: what the server answers is what the client's types say.
;(answer: Static<typeof BalanceSchema>): Balance => answer
;(answer: Static<typeof InvoiceSchema>): UpcomingInvoice => answer
;(answer: Static<typeof InvoiceDocumentSchema>): Invoice => answer

test('a key of any text is one segment of the path', async () => {
  server.behaveAlways({ status: 200, body: { data: [], nextCursor: null } })
  await client.balances('auth0|5f7c/é')
  await client.balance('a b', 'tokens')
  expect(asked()).toEqual([
    ['GET', '/v1/customers/auth0%7C5f7c%2F%C3%A9/balances', ''],
    ['GET', '/v1/customers/a%20b/balances/tokens', ''],
  ])
})

test('a question about usage names its groups once and each value of a filter', async () => {
  server.behaveAlways({ status: 200, body: { data: [], asOf: '2026-01-01T00:00:00Z' } })
  await client.usage('tokens', {
    customer: ['a', 'b'],
    from: new Date('2026-01-01T00:00:00Z'),
    window: 'day',
    groupBy: ['model', 'customer'],
    filter: { model: ['large', 'small'], region: 'eu' },
  })
  const query = new URL(server.received[0]?.path ?? '', server.url).searchParams
  expect([...query]).toEqual([
    ['customer', 'a'],
    ['customer', 'b'],
    ['from', '2026-01-01T00:00:00.000Z'],
    ['window', 'day'],
    ['groupBy', 'model,customer'],
    ['filter[model]', 'large'],
    ['filter[model]', 'small'],
    ['filter[region]', 'eu'],
  ])
})

test('invoices are read page by page, and no page is asked for that nobody wants', async () => {
  const page = (id: string, nextCursor: string | null) => ({ status: 200, body: { data: [{ id }], nextCursor } })
  server.behave(page('1', 'c/1'), { status: 503 }, page('2', null), page('1', 'c/1'))
  const ids = []
  for await (const { id } of client.invoices({ customer: 'acme', pageSize: 1 })) ids.push(id)
  expect(ids).toEqual(['1', '2'])
  for await (const _ of client.invoices()) break
  expect(asked().map(([, path]) => path)).toEqual([
    '/v1/invoices?customer=acme&limit=1',
    '/v1/invoices?customer=acme&limit=1&cursor=c%2F1',
    '/v1/invoices?customer=acme&limit=1&cursor=c%2F1',
    '/v1/invoices?limit=100',
  ])
})

test('a read that is aborted ends with the reason', async () => {
  server.behaveAlways('stall')
  const controller = new AbortController()
  const read = client.upcomingInvoice('s-1', { at: '2026-01-01T00:00:00Z', signal: controller.signal })
  await server.request(1)
  controller.abort(new Error('enough'))
  await expect(read).rejects.toThrow('enough')
  expect(asked()[0]).toEqual(['GET', '/v1/subscriptions/s-1/upcoming-invoice?at=2026-01-01T00%3A00%3A00Z', ''])
})
