import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DroppedEvents } from '../../sdk/client/event-queue.ts'
import { createTollgateClient, type TollgateClient } from '../../sdk/client/tollgate-client.ts'
import { removeDirectory, startTollgate, type TollgateProcess, waitFor } from '../support/servers/tollgate-process.ts'

describe('the SDK against the real server', () => {
  let tollgate: TollgateProcess
  let client: TollgateClient
  const dropped: DroppedEvents[] = []

  beforeAll(async () => {
    tollgate = await startTollgate()
    await tollgate.ok('PUT', '/v1/meters/tokens', { eventType: 'llm.request', aggregation: 'sum', value: 'tokens' })
    await tollgate.ok('PUT', '/v1/features/tokens', { type: 'metered', meter: 'tokens' })
    await tollgate.ok('PUT', '/v1/features/sso', { type: 'boolean' })
    await tollgate.ok('PUT', '/v1/products/ai', { name: 'AI' })
    await tollgate.ok('PUT', '/v1/plans/pro', {
      product: 'ai',
      name: 'Pro',
      currency: 'EUR',
      interval: 'month',
      entitlements: [{ feature: 'tokens', limit: '100', limitType: 'hard', reset: 'month' }, { feature: 'sso' }],
    })
    await tollgate.ok('PUT', '/v1/customers/acme', {})
    await tollgate.ok('POST', '/v1/subscriptions', { customer: 'acme', plan: 'pro' })
    client = createTollgateClient({ url: tollgate.url, key: tollgate.adminKey, onDrop: (drop) => dropped.push(drop) })
  })

  afterAll(async () => {
    await client.close()
    await tollgate.kill()
    await removeDirectory(tollgate.dataDir)
  })

  test('what is tracked is counted once, and the check follows it to the limit', async () => {
    expect(await client.check('acme', 'tokens', 100)).toMatchObject({ allowed: true, code: 'within_limit', balance: { used: '0' } })
    for (let count = 0; count < 99; count++) client.track({ type: 'llm.request', customer: 'acme', data: { tokens: 1 } })
    for (let repeat = 0; repeat < 3; repeat++)
      client.track({ id: 'the same', type: 'llm.request', customer: 'acme', data: { tokens: '0.5' } })
    await client.flush()
    await waitFor(async () => (await client.check('acme', 'tokens', 0)).balance?.used === '99.5')
    expect(await client.check('acme', 'tokens', '0.5')).toMatchObject({ allowed: true, balance: { remaining: '0.5' } })
    expect(await client.check('acme', 'tokens', '0.500000001')).toMatchObject({ allowed: false, code: 'hard_limit_reached' })
    expect(await client.check('acme', 'sso')).toMatchObject({ allowed: true, code: 'feature_on' })
    expect(dropped).toEqual([])
  })

  test('an event that the server refuses is reported with its id and code, and the others are kept', async () => {
    client.track({ id: 'old', type: 'llm.request', customer: 'acme', time: new Date('2001-01-01') })
    client.track({ id: 'fine', type: 'other', customer: 'acme' })
    await client.flush()
    expect(dropped).toMatchObject([{ reason: 'rejected', code: 'event_too_old', events: [{ id: 'old' }] }])
    client.track({ id: 'older', type: 'llm.request', customer: 'acme', time: new Date('2001-01-01') })
    await client.flush()
    expect(dropped.at(-1)).toMatchObject({ reason: 'rejected', code: 'event_too_old', events: [{ id: 'older' }] })
  })

  test('reads answer what was tracked and what it will cost', async () => {
    expect(await client.balance('acme', 'tokens')).toMatchObject({ limit: '100', used: '99.5' })
    expect((await client.balances('acme')).map(({ feature }) => feature).sort()).toEqual(['sso', 'tokens'])
    await waitFor(async () => {
      const { data } = await client.usage('tokens', { customer: ['acme'], groupBy: ['customer'] })
      return data[0]?.customer === 'acme' && data[0].value === '99.5'
    })
    for await (const invoice of client.invoices({ customer: 'acme', status: 'draft' })) {
      expect(await client.invoice(invoice.id)).toMatchObject({ currency: 'EUR', status: 'draft' })
      expect(await client.upcomingInvoice(invoice.subscription ?? '')).toMatchObject({ plan: 'pro', total: '0.00' })
    }
    await expect(client.invoice('none')).rejects.toMatchObject({ name: 'RequestError', code: 'unknown_invoice', status: 404 })
  })

  test('mistakes are errors with the code of the server', async () => {
    await expect(client.check('acme', 'unknown')).rejects.toMatchObject({ code: 'unknown_feature', status: 404, canRetry: false })
    await expect(client.check('acme', 'tokens', '1.0000000001')).rejects.toMatchObject({ code: 'invalid_quantity', status: 400 })
    const stranger = createTollgateClient({ url: tollgate.url, key: 'tg_wrong', onError: () => undefined })
    await expect(stranger.check('acme', 'tokens')).rejects.toMatchObject({ code: 'invalid_key', status: 401 })
    await stranger.close()
  })
})
